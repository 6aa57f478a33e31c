/** Random numbers that a seed repeats (mulberry32): the same seed gives the same plan and the same choices. */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  between(low: number, high: number): number {
    return Math.round(low + this.next() * (high - low))
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('Nothing to pick from')
    return item
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items]
    return items.map(() => rest.splice(this.below(rest.length), 1)[0]).filter((item) => item !== undefined)
  }

  /** The numbers from 0 to `length` - 1 in some order. */
  permutation(length: number): Uint32Array {
    const numbers = Uint32Array.from({ length }, (_, n) => n)
    for (let at = length - 1; at > 0; at--) {
      const other = this.below(at + 1)
      const [a = 0, b = 0] = [numbers[at], numbers[other]]
      numbers[at] = b
      numbers[other] = a
    }
    return numbers
  }
}
