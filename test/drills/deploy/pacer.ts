/** So many requests a second, whoever asks to send one; what could not be sent in time is caught up with for a tenth of a second. */
export class Pacer {
  readonly #timer: NodeJS.Timeout
  readonly #waiting: (() => void)[] = []
  readonly #perMs: number
  #credit = 0
  #at = performance.now()

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000
    this.#timer = setInterval(() => this.#release(), 5)
  }

  turn(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  /** Lets everybody go. */
  stop(): void {
    clearInterval(this.#timer)
    for (const go of this.#waiting.splice(0)) go()
  }

  #release(): void {
    const now = performance.now()
    this.#credit = Math.min(this.#credit + (now - this.#at) * this.#perMs, this.#perMs * 100)
    this.#at = now
    while (this.#credit >= 1 && this.#waiting.length > 0) {
      this.#credit -= 1
      this.#waiting.shift()?.()
    }
  }
}
