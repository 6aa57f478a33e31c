import { setTimeout as pause } from 'node:timers/promises'
import type { Call } from './scene.js'

const EVERY_MS = 250
const KEPT = 20
/** On a machine that others use, a request may take as much longer as an ordinary write does. */
const TIMES_A_WRITE = 20

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
      await this.#call(this.#token, 'PATCH', '/api/users/me', { shop_name: `Shop ${this.#count}` })
      this.#times.push(performance.now() - startedAt)
      if (this.#times.length > KEPT) this.#times.shift()
      await pause(EVERY_MS)
    }
  }

  end(): void {
    this.#isOver = true
  }

  /** How long an answer may take now, where it may take `limitMs` when the machine has nothing else to do. */
  limit(limitMs: number): number {
    const median = this.#times.toSorted((a, b) => a - b)[this.#times.length >> 1] ?? 0
    return Math.max(limitMs, median * TIMES_A_WRITE)
  }
}
