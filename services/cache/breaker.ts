/** Opens after `limit` failures in a row, so that callers stop asking (and waiting) until it is closed again. */
export class Breaker {
  readonly #limit: number
  readonly #onOpen: (reason: string) => void
  #failures = 0

  constructor(options: { limit: number; onOpen: (reason: string) => void }) {
    this.#limit = options.limit
    this.#onOpen = options.onOpen
  }

  get isOpen(): boolean {
    return this.#failures >= this.#limit
  }

  succeeded(): void {
    if (!this.isOpen) this.#failures = 0
  }

  failed(reason: string): void {
    this.#failures += 1
    if (this.#failures === this.#limit) this.#onOpen(`${this.#limit} failures in a row, the last: ${reason}`)
  }

  close(): void {
    this.#failures = 0
  }
}
