import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TieredCache } from '../../services/cache/index.js'
import { sibling } from '../harness/contender-process.js'

export type ServerOrder =
  | { readonly kind: 'service'; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: 'bare'; readonly body: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'cpu' }
  | { readonly kind: 'stats' }
  | { readonly kind: 'profile-start' }
  | { readonly kind: 'profile-stop'; readonly file: string }

export type ServerReply = { readonly result: unknown } | { readonly error: string }

export interface ServerStats {
  readonly state: string
  readonly cache: Omit<ReturnType<TieredCache['stats']>, 'domains'>
  /** How often each state was entered. */
  readonly stateChanges: Readonly<Record<string, number>>
  /** Statements sent to the database since the start, by name. */
  readonly queries: Readonly<Record<string, number>>
  readonly rss: number
}

/** A server in a process of its own. Its log goes nowhere, but is written. */
export class Server {
  readonly #child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(order: Extract<ServerOrder, { kind: 'service' | 'bare' }>): Promise<Server> {
    const program = fileURLToPath(sibling(import.meta.url, './server-child'))
    const child = fork(program, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: process.env['PATH'], NODE_ENV: 'production' },
    })
    try {
      return new Server(child, Number(await ask(child, order)))
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Processor time so far, in seconds. */
  async cpuSeconds(): Promise<number> {
    return Number(await ask(this.#child, { kind: 'cpu' }))
  }

  async stats(): Promise<ServerStats> {
    return (await ask(this.#child, { kind: 'stats' })) as ServerStats
  }

  /** Writes a profile of what happens during `work` to `file`. */
  async profile(file: string, work: () => Promise<unknown>): Promise<void> {
    await ask(this.#child, { kind: 'profile-start' })
    await work()
    await ask(this.#child, { kind: 'profile-stop', file })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

async function ask(child: ChildProcess, order: ServerOrder): Promise<unknown> {
  const ended = new AbortController()
  const onExit = (): void => ended.abort(new Error(`The server ended when asked for ${order.kind}`))
  child.once('exit', onExit)
  try {
    child.send(order)
    const [reply] = (await once(child, 'message', { signal: ended.signal })) as [ServerReply]
    if ('error' in reply) throw new Error(`The server could not ${order.kind}: ${reply.error}`)
    return reply.result
  } finally {
    child.off('exit', onExit)
  }
}
