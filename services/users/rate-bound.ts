/** So many a second, and a burst of as many that were saved up. A token bucket. */
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

  /** Takes one; false when none is left. */
  take(): boolean {
    const now = this.#now()
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#filledAt) / 1_000) * this.#perSecond)
    this.#filledAt = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
