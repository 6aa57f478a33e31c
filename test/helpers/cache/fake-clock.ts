import type { Clock } from '../../../services/cache/index.js'

/** Wall-clock ms at which a fake clock begins. */
const BEGINNING_MS = Date.UTC(2026, 0, 1)

interface Timer {
  readonly at: number
  readonly work: () => void
}

/** Lets everything that can run now run: all microtasks, and the microtasks they make. */
export function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A clock that moves when it is told to. Timers run in the order of their times, those of one moment in the order they were set. */
export class FakeClock implements Clock {
  #now = 10_000
  readonly #timers: Timer[] = []

  now(): number {
    return this.#now
  }

  wallMs(): number {
    return BEGINNING_MS + this.#now
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  after(ms: number, work: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), work }
    let place = this.#timers.length
    while (place > 0 && (this.#timers[place - 1]?.at ?? 0) > timer.at) place -= 1
    this.#timers.splice(place, 0, timer)
    return () => {
      const held = this.#timers.indexOf(timer)
      if (held >= 0) this.#timers.splice(held, 1)
    }
  }

  /** Moves on by `ms`, timer by timer; what each of them sets off has run before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await drain()
    for (;;) {
      const next = this.#timers[0]
      if (next === undefined || next.at > end) break
      this.#timers.shift()
      this.#now = Math.max(this.#now, next.at)
      next.work()
      await drain()
    }
    this.#now = end
    await drain()
  }

  /** An event loop that stood still for `ms`: the time is over, and no timer has run. */
  stall(ms: number): void {
    this.#now += ms
  }
}

/** One process's view of a shared clock: it may be wrong about the wall time, be stopped for a while, or die. */
export class ProcessClock implements Clock {
  readonly #base: Clock
  readonly #wallSkewMs: number
  #missed: (() => void)[] = []
  #isPaused = false
  #isDead = false

  constructor(base: Clock, options: { wallSkewMs: number }) {
    this.#base = base
    this.#wallSkewMs = options.wallSkewMs
  }

  now(): number {
    return this.#base.now()
  }

  wallMs(): number {
    return this.#base.wallMs() + this.#wallSkewMs
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  after(ms: number, work: () => void): () => void {
    let isCancelled = false
    const run = (): void => {
      if (isCancelled || this.#isDead) return
      if (this.#isPaused) this.#missed.push(run)
      else work()
    }
    const cancel = this.#base.after(ms, run)
    return () => {
      isCancelled = true
      cancel()
    }
  }

  /** Time goes on without this process: its timers wait for {@link ProcessClock.resume}. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const missed = this.#missed
    this.#missed = []
    for (const run of missed) run()
  }

  kill(): void {
    this.#isDead = true
  }
}
