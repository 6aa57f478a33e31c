import { performance } from 'node:perf_hooks'

/** The engine's only source of time, handed in so that a test can hold it still. No clock decides what is current. */
export interface Clock {
  /** Monotonic milliseconds: ages, lifetimes in memory, the barrier. */
  now(): number
  /** Wall-clock milliseconds since 1970: lifetimes that travel through Redis, and the barrier of a suspended machine. */
  wallMs(): number
  /** As `after`, does not keep the process alive. */
  sleep(ms: number): Promise<void>
  /** Runs `work` once after `ms`, or 24 days if that is less; the returned function cancels it. */
  after(ms: number, work: () => void): () => void
  /** Runs `work` when the events at hand have all been handled. */
  endOfTurn(work: () => void): void
}

/** The longest timer of Node: one above it would go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms).unref()),
  after(ms, work) {
    const timer = setTimeout(work, Math.min(ms, LONGEST_TIMER_MS)).unref()
    return () => clearTimeout(timer)
  },
  endOfTurn: (work) => void setImmediate(work),
}
