import { setTimeout as pause } from 'node:timers/promises'
import type { Call } from './scene.js'

const EVERY_MS = 250
const KEPT = 20
/** On a machine that others use, a request may take as much longer as an ordinary write does. */
const TIMES_A_WRITE = 20
/** An ordinary write takes a few ms. Where it takes so long, the service has no time, and may say so. */
const STARVED_MS = 100

/** What an ordinary write takes, all the time: the measure of what hangs. */
export class Pace {
  readonly #call: Call
  readonly #token: string
  readonly #times: number[] = []
  #isOver = false
  #count = 0

  constructor(call: Call, token: string) {
    this.#call = call
    this.#token = token
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const startedAt = performance.now()
      this.#count += 1
      const body = { shop_name: `Shop ${this.#count}` }
      const isDone = await this.#call(this.#token, 'PATCH', '/api/users/me', body).then(
        () => true,
        () => false,
      )
      this.#times.push(isDone ? performance.now() - startedAt : Number.POSITIVE_INFINITY)
      if (this.#times.length > KEPT) this.#times.shift()
      await pause(EVERY_MS)
    }
  }

  end(): void {
    this.#isOver = true
  }

  /** Whether even an ordinary write is slow, or refused: then nothing is wrong with a request that is. */
  get isStarved(): boolean {
    return this.#times.some((ms) => ms === Number.POSITIVE_INFINITY) || this.#median > STARVED_MS
  }

  /** How long an answer may take now, where it may take `limitMs` when the machine has nothing else to do. */
  limit(limitMs: number): number {
    return Math.max(limitMs, this.#median * TIMES_A_WRITE)
  }

  get #median(): number {
    const done = this.#times.filter((ms) => Number.isFinite(ms)).toSorted((a, b) => a - b)
    return done[done.length >> 1] ?? 0
  }
}
