/** Upper bounds of the buckets in seconds, but for the last one, which has none: from a hit of a tier to a load that hangs. */
export const DURATION_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const

/** How long something took, each time: counts that can be added up over replicas, as quantiles can't. */
export class Durations {
  /** One for each of {@link DURATION_BOUNDS}, and one for what is longer; not cumulative. */
  readonly counts: number[] = Array.from({ length: DURATION_BOUNDS.length + 1 }, () => 0)
  seconds = 0

  record(milliseconds: number): void {
    const seconds = milliseconds / 1_000
    let bucket = 0
    while (bucket < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[bucket] ?? 0)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.seconds += seconds
  }
}
