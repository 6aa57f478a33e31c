import type { Clock } from '../../../services/cache/index.js'

/** Wall-clock ms at which a fake clock begins. */
const BEGINNING_MS = Date.UTC(2026, 0, 1)

interface Timer {
  readonly at: number
  readonly work: () => void
}

/** Lets everything that can run now run: some turns of the event loop, with all their microtasks. */
export async function drain(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A clock that moves when it is told to. Timers run in the order of their times, those of one moment in the order they were set. */
export class FakeClock implements Clock {
  #now = 10_000
  #wallAheadMs = 0
  readonly #timers: Timer[] = []

  now(): number {
    return this.#now
  }

  wallMs(): number {
    return BEGINNING_MS + this.#now + this.#wallAheadMs
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

  endOfTurn(work: () => void): void {
    setImmediate(work)
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

  /** The wall clock alone moves: a step of it, or a machine that was suspended. */
  stepWall(ms: number): void {
    this.#wallAheadMs += ms
  }
}
