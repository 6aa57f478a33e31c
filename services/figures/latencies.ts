/** Who answered a request: a tier, the database because no tier had it, or something that is no read of the cache. */
export const SOURCES = ['memory', 'redis', 'miss', 'other'] as const

/** One of {@link SOURCES}, by its place. */
export const SOURCE = { memory: 0, redis: 1, miss: 2, other: 3 } as const
export type Source = (typeof SOURCE)[keyof typeof SOURCE]

/** Buckets an octave: a percentile is off by 4.5 % at most. */
const BUCKETS_PER_OCTAVE = 8
/** The last one begins above two minutes. */
const BUCKETS = 24 * BUCKETS_PER_OCTAVE
/** Shorter times have their bucket looked up: 10 ms. */
const LOOKED_UP = 1_000

/** Bucket `n` begins at 2^(n/8) hundredths of a millisecond; the first one holds everything below as well. */
function bucketOf(hundredths: number): number {
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(Math.max(1, hundredths)) * BUCKETS_PER_OCTAVE))
}

const lookedUp = Uint8Array.from({ length: LOOKED_UP }, (_, hundredths) => bucketOf(hundredths))

/** How long answers took since the start, by who answered. Counts alone, so those of two moments, or of two replicas, can be taken together. */
export class Latencies {
  readonly #counts = new Float64Array(SOURCES.length * BUCKETS)

  /** @param hundredths of a millisecond, whole */
  record(source: Source, hundredths: number): void {
    const bucket = hundredths < LOOKED_UP ? (lookedUp[hundredths] ?? 0) : bucketOf(hundredths)
    const place = source * BUCKETS + bucket
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
  }

  /** By source: the number of each bucket that has counts, and its count, one after the other. */
  counts(): Record<(typeof SOURCES)[number], number[]> {
    return { memory: this.#of(0), redis: this.#of(1), miss: this.#of(2), other: this.#of(3) }
  }

  #of(source: Source): number[] {
    const counts = this.#counts.subarray(source * BUCKETS, (source + 1) * BUCKETS)
    return [...counts.entries()].flatMap(([bucket, count]) => (count === 0 ? [] : [bucket, count]))
  }
}
