/**
 * So many a second, and as many at once after a quiet second (a token bucket). What is under way when the bound is reached still
 * counts, so that the next ones wait for it.
 */
export class RateBound {
  readonly #perSecond: number
  readonly #now: () => number
  #left: number
  #filledAt: number

  /** @param now monotonic ms */
  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond
    this.#now = now
    this.#left = perSecond
    this.#filledAt = now()
  }

  get isReached(): boolean {
    const now = this.#now()
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#filledAt) / 1_000) * this.#perSecond)
    this.#filledAt = now
    return this.#left < 1
  }

  count(): void {
    this.#left -= 1
  }
}
