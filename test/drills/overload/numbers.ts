import type { Times } from './load.js'

/** Many milliseconds, of which the greatest are asked for in the end. */
export class Numbers {
  #numbers = new Float64Array(1_024)
  #count = 0

  add(ms: number): void {
    if (this.#count === this.#numbers.length) {
      const larger = new Float64Array(2 * this.#count)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[this.#count++] = ms
  }

  /** NaN where there is none. */
  times(): Times {
    const sorted = this.#numbers.slice(0, this.#count).sort()
    const at = (part: number): number => sorted[Math.min(this.#count - 1, Math.floor(part * this.#count))] ?? Number.NaN
    return { count: this.#count, p50: at(0.5), p99: at(0.99), max: at(1) }
  }
}
