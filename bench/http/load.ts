import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sibling } from '../harness/contender-process.js'

/** A GET. */
export interface LoadRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface LoadOrder {
  readonly port: number
  /** Sent in turn. */
  readonly requests: readonly LoadRequest[]
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

/** With what a client of the API sends. */
export function getRequest(path: string, headers: Readonly<Record<string, string>> = {}): LoadRequest {
  return { path, headers: { accept: 'application/json', ...headers } }
}
