import { createHistogram } from 'node:perf_hooks'

/** Counts of whole milliseconds; a part of one counts as one, so that only "not at all" is 0. */
export class Histogram {
  /** Of what is above 0, which is the least that a histogram of Node's takes. */
  readonly #positive = createHistogram()
  #zeros = 0
  max = 0

  add(ms: number): void {
    if (ms > 0) this.#positive.record(Math.ceil(ms))
    else this.#zeros += 1
    this.max = Math.max(this.max, ms)
  }

  summary(): Summary {
    const positive = this.#positive.count
    const count = positive + this.#zeros
    const ofPositive = (part: number): number => (positive === 0 ? 0 : this.#positive.percentile(100 * part))
    /** The value that `part` of all are at most: a part of the positive ones, once the zeros are counted. */
    const ofAll = (part: number): number => {
      const rank = part * count - this.#zeros
      return rank <= 0 ? 0 : ofPositive(rank / positive)
    }
    const behind = { p50: ofPositive(0.5), p99: ofPositive(0.99), p999: ofPositive(0.999) }
    return { count, positive, p50: ofAll(0.5), p99: ofAll(0.99), p999: ofAll(0.999), max: this.max, behind }
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
