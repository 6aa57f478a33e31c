import { performance } from 'node:perf_hooks'

/** The engine's only source of time, handed in so that a test can hold it still. */
export interface Clock {
  /** Monotonic milliseconds: ages, lifetimes in memory, the barrier. */
  now(): number
  /** Wall-clock milliseconds since 1970: lifetimes that travel through Redis. Never decides coherence. */
  wallMs(): number
  sleep(ms: number): Promise<void>
  /** Runs `work` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void
  /**
   * Runs `work` when this uninterrupted run of JavaScript ends, before the next event is handled. A clock without it is
   * read each time.
   */
  endOfRun?(work: () => void): void
  /** Runs `work` when the events at hand have all been handled. A clock without it: at the next microtask. */
  endOfTurn?(work: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  after(ms, work) {
    const timer = setTimeout(work, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  endOfRun: (work) => process.nextTick(work),
  endOfTurn: (work) => void setImmediate(work),
}

/** Reads of one run that share one look at the clock, at most: a chain of promises may be a long run. */
const SHARED_READS = 128

/**
 * The time for reads from memory: the clock is looked at once in each uninterrupted run of JavaScript (it costs more than
 * the rest of the read). No event is handled within a run, so whatever a run answers was asked for before it
 * began: a barrier that was young enough then is young enough for every one of its reads, and a run that comes
 * after a standstill of the event loop looks at the clock anew.
 */
export class RunClock {
  readonly #clock: Clock
  #at = 0
  #left = 0
  #isEndAwaited = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    if (this.#left > 0) {
      this.#left -= 1
      return this.#at
    }
    return this.#look()
  }

  #look(): number {
    this.#at = this.#clock.now()
    if (this.#clock.endOfRun === undefined) return this.#at
    this.#left = SHARED_READS
    if (!this.#isEndAwaited) {
      this.#isEndAwaited = true
      this.#clock.endOfRun(this.#end)
    }
    return this.#at
  }

  readonly #end = (): void => {
    this.#left = 0
    this.#isEndAwaited = false
  }
}
