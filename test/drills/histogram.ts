const LARGEST = 60_000

/** Counts of whole milliseconds; a part of one counts as one, so that only "not at all" is 0. */
export class Histogram {
  readonly #counts = new Map<number, number>()
  count = 0
  max = 0

  add(ms: number): void {
    const bucket = Math.min(LARGEST, Math.ceil(ms))
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
    this.count += 1
    this.max = Math.max(this.max, ms)
  }

  /** How many were more than 0. */
  get positive(): number {
    return this.count - (this.#counts.get(0) ?? 0)
  }

  /** The value that `part` of all are at most; with `isPositive`, of those above 0. */
  quantile(part: number, isPositive = false): number {
    const wanted = Math.ceil(part * (isPositive ? this.positive : this.count))
    let seen = 0
    for (const [ms, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      if (isPositive && ms === 0) continue
      seen += count
      if (seen >= wanted) return ms
    }
    return 0
  }

  summary(): Summary {
    const at = (part: number): number => this.quantile(part)
    const { count, positive, max } = this
    const behind = { p50: this.quantile(0.5, true), p99: this.quantile(0.99, true), p999: this.quantile(0.999, true) }
    return { count, positive, p50: at(0.5), p99: at(0.99), p999: at(0.999), max, behind }
  }
}

/** Milliseconds; `behind` looks at the values above 0 only. */
export interface Summary {
  readonly count: number
  readonly positive: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly behind: { readonly p50: number; readonly p99: number; readonly p999: number }
}
