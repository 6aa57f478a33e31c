/** Median and extremes of the rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values) }
}

/** One figure that has no rounds. */
export function single(value: number): Spread {
  return { median: value, min: value, max: value }
}

/** Linear between the two nearest values; NaN of nothing. */
export function quantile(values: readonly number[] | Float64Array, part: number): number {
  const sorted = Float64Array.from(values).sort()
  const at = part * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN]
  return low + (high - low) * (at - Math.floor(at))
}

/** How `values` stand to `floors`, round by round: what disturbs a round disturbs both. */
export function ratioOf(values: readonly number[], floors: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (floors[round] ?? Number.NaN)))
}
