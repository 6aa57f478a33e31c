import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { TYPESCRIPT } from '../../helpers/typescript.js'

/** Requests of one kind. */
export interface StreamOrder {
  readonly name: string
  /** As they go over the wire; `{n}` is another number of nine digits in each. */
  readonly requests: readonly string[]
  readonly connections: number
  /** Without it each connection asks again as soon as it is answered, and two seconds after it was refused. */
  readonly perSecond?: number
  /** What is due when no connection is free waits for one, and its time counts from when it was due; else it is left out. */
  readonly isPatient?: boolean
  /** Each connection sends one request, and stays. */
  readonly isEachOnce?: boolean
  /** An answer that took longer counts as slow. */
  readonly slowMs: number
}

export interface LoadOrder {
  readonly port: number
  readonly streams: readonly StreamOrder[]
  /** The first `{n}`. */
  readonly from: number
}

export type ChildOrder =
  | { readonly kind: 'start'; readonly order: LoadOrder }
  | { readonly kind: 'go' }
  | { readonly kind: 'phase'; readonly name: string }
  | { readonly kind: 'stop' }

export type ChildNews =
  { readonly kind: 'open' | 'going' | 'phase' } | { readonly kind: 'ended'; readonly result: LoadResult }

export interface Times {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** What came of the requests of one kind that were due in one phase. Times are ms from when a request was due. */
export interface StreamResult {
  readonly seconds: number
  readonly sent: number
  /** Due while no connection was free for it. */
  readonly leftOut: number
  readonly statuses: Readonly<Record<string, number>>
  /** No answer, by why. */
  readonly failures: Readonly<Record<string, number>>
  readonly hits: number
  /** Refused for too much (503, 429) without Retry-After. */
  readonly unguided: number
  readonly answered: Times
  readonly refused: Times
  /** What the service says that it took: from having read a request's head to its answer. */
  readonly own: Times
  /** How late the generator itself came to what was due. */
  readonly late: Times
}

/** A quarter of a second. */
export interface Slice {
  /** When it began, in ms since the epoch. */
  readonly at: number
  readonly answers: number
  /** Neither answered nor refused for a reason of the request. */
  readonly refused: number
  readonly slow: number
}

export const SLICE_MS = 250

export interface LoadResult {
  /** How long it took until all connections were open. */
  readonly openedMs: number
  readonly phases: Readonly<Record<string, Readonly<Record<string, StreamResult>>>>
  readonly slices: Readonly<Record<string, readonly Slice[]>>
}

const CHILD = fileURLToPath(new URL('load-child.ts', import.meta.url))
/** Before the flood, so that what is measured is the service and not who measures. Takes root. */
const MEASURING_PRIORITY = -15
/** More numbers than one load takes. */
const NUMBERS_EACH = 2_000_000
let loads = 0

/** A generator in a process of its own. */
export class Load {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = new Promise((_, reject) => {
      child.once('exit', (code) => reject(new Error(`A generator of load ended by itself: ${code}`)))
    })
    this.#ended.catch(() => {})
  }

  /**
   * Opens its connections, and sends nothing yet.
   * @param options `isMeasuring`: it goes before other processes; `core`: the only one it runs on
   */
  static async start(
    order: Omit<LoadOrder, 'from'>,
    { isMeasuring = false, core }: { readonly isMeasuring?: boolean; readonly core?: number | undefined } = {},
  ): Promise<Load> {
    const child = fork(CHILD, [], { execArgv: [TYPESCRIPT], serialization: 'advanced' })
    const load = new Load(child)
    if (core !== undefined) pin(child.pid ?? 0, core)
    if (isMeasuring) prefer(child.pid ?? 0, MEASURING_PRIORITY)
    await load.#ask({ kind: 'start', order: { ...order, from: loads++ * NUMBERS_EACH } }, 'open')
    return load
  }

  async go(phase: string): Promise<void> {
    await this.phase(phase)
    await this.#ask({ kind: 'go' }, 'going')
  }

  /** What is due from now on counts for this phase. */
  async phase(name: string): Promise<void> {
    await this.#ask({ kind: 'phase', name }, 'phase')
  }

  /** Sends nothing more, waits for the last answers, and ends. */
  async stop(): Promise<LoadResult> {
    const news = await this.#ask({ kind: 'stop' }, 'ended')
    this.#child.disconnect()
    if (news.kind !== 'ended') throw new Error('Unreachable')
    return news.result
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #ask(order: ChildOrder, answer: ChildNews['kind']): Promise<ChildNews> {
    this.#child.send(order)
    for (;;) {
      const [news] = (await Promise.race([once(this.#child, 'message'), this.#ended])) as [ChildNews]
      if (news.kind === answer) return news
    }
  }
}

/** All threads of a process, on one core; without `taskset` they stay where they are. */
export function pin(pid: number, core: number): void {
  try {
    execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' })
  } catch {
    // Shown by the figures.
  }
}

/** Before others: the higher the less it is. */
export function prefer(pid: number, priority: number): void {
  try {
    setPriority(pid, priority)
  } catch {
    // Only root may; the lateness of the generator is in the table.
  }
}
