import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sibling } from '../harness/contender-process.js'

export interface LoadOrder {
  readonly port: number
  /** Whole requests as text, sent in turn. */
  readonly requests: readonly string[]
  readonly connections: number
  readonly ms: number
  /** `undefined`: each connection sends its next request when it has its answer. */
  readonly ratePerSecond?: number | undefined
  /** The status every answer must have. */
  readonly expected: number
}

export interface LoadResult {
  readonly answers: number
  /** Answers of another status. */
  readonly unexpected: number
  readonly seconds: number
  /** ms; at a steady rate from the moment the request was due. */
  readonly p50: number
  readonly p99: number
  /** Share of one core the load itself took: near 1 it is the load that is measured. */
  readonly busy: number
}

/** The process that asks. */
export class Load {
  readonly #child: ChildProcess

  constructor() {
    const program = fileURLToPath(sibling(import.meta.url, './load-child'))
    this.#child = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' })
  }

  async run(order: LoadOrder): Promise<LoadResult> {
    this.#child.send(order)
    const [reply] = (await once(this.#child, 'message')) as [{ result: LoadResult } | { error: string }]
    if ('error' in reply) throw new Error(`The load failed: ${reply.error}`)
    return reply.result
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** One GET as it goes over the wire, with what a client of the API sends. */
export function getRequest(path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: '127.0.0.1', accept: 'application/json', ...headers })
  return `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
