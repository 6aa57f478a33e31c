import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Parameters, Sample } from './contender.js'

export type Order =
  | { readonly kind: 'open'; readonly module: string; readonly name: string; readonly parameters: Parameters }
  | ({ readonly kind: 'turn'; readonly turn: string; readonly ms: number } & TurnOptions)
  | { readonly kind: 'close' }

export interface TurnOptions {
  /** A file for a profile of the turn. */
  readonly profile?: string
  /** Operations at most, for a turn that can be slowed down. */
  readonly perSecond?: number
}

export type Reply = { readonly sample: Sample } | { readonly error: string }

export interface ContenderOptions {
  /** URL of the module that exports `contenders`. */
  readonly module: string
  readonly name: string
  readonly parameters: Parameters
}

/** Beside `url`, in the language this process runs: compiled, or TypeScript under a loader. */
export function sibling(url: string, path: string): string {
  return new URL(path + extname(fileURLToPath(url)), url).href
}

/** A contender in a process of its own, so that no contender's compiled code or garbage burdens another. */
export class ContenderProcess {
  readonly name: string
  readonly pid: number
  readonly #child: ChildProcess

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.pid = child.pid ?? 0
    this.#child = child
  }

  /** @throws Error with what kept it from opening */
  static async open({ module, name, parameters }: ContenderOptions): Promise<ContenderProcess> {
    const program = fileURLToPath(sibling(import.meta.url, './child'))
    const execArgv = [...process.execArgv, '--expose-gc']
    const child = fork(program, { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const contender = new ContenderProcess(name, child)
    try {
      await contender.#ask({ kind: 'open', module, name, parameters })
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
    return contender
  }

  turn(turn: string, ms: number, options: TurnOptions = {}): Promise<Sample> {
    return this.#ask({ kind: 'turn', turn, ms, ...options })
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await this.#ask({ kind: 'close' }).catch(() => undefined)
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  #ask(order: Order): Promise<Sample> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        child.off('message', onReply)
        child.off('exit', onExit)
      }
      const onReply = (message: unknown): void => {
        settle()
        const reply = message as Reply
        if ('error' in reply) reject(new Error(`${this.name} (${order.kind}): ${reply.error}`))
        else resolve(reply.sample)
      }
      const onExit = (): void => {
        settle()
        reject(new Error(`${this.name} ended when asked to ${order.kind}`))
      }
      child.on('message', onReply)
      child.on('exit', onExit)
      child.send(order)
    })
  }
}
