/** One figure over time: minutes since the start, and what it was. */
export interface Series {
  readonly name: string
  readonly unit: 'MB' | 'ms' | ''
  readonly points: readonly (readonly [minutes: number, value: number])[]
}

export interface Flatness {
  readonly samples: number
  /** Of the second half, as all that follows. */
  readonly mean: number
  readonly least: number
  readonly most: number
  /** Of the line of least squares, from its beginning to its end. */
  readonly growth: number
  /** What chance alone makes of it: its standard error. */
  readonly error: number
  readonly isFlat: boolean
}

/** Growth of less than this part of the mean is none. */
export const LARGEST_GROWTH = 0.1
/** Nor is less than this many megabytes: a few pages of a small table. */
export const LEAST_MB = 1
/** Nor is growth within this many of its standard errors. */
export const ERRORS = 3
/** Fewer say nothing. */
const FEWEST_SAMPLES = 8

/**
 * Whether a figure stays where it is: the line of least squares through the second half rises from one end to the other by at most
 * {@link LARGEST_GROWTH} of the mean, {@link LEAST_MB}, or {@link ERRORS} standard errors, which sawteeth alone can make.
 */
export function flatness({ points, unit }: Series): Flatness {
  const first = points.at(0)?.[0] ?? 0
  const last = points.at(-1)?.[0] ?? 0
  const half = points.filter(([minutes]) => minutes >= (first + last) / 2)
  const samples = half.length
  const values = half.map(([, value]) => value)
  const mean = sum(values) / samples
  const middle = sum(half.map(([minutes]) => minutes)) / samples
  const spread = sum(half.map(([minutes]) => (minutes - middle) ** 2))
  const slope = sum(half.map(([minutes, value]) => (minutes - middle) * (value - mean))) / spread
  const rest = sum(half.map(([minutes, value]) => (value - mean - slope * (minutes - middle)) ** 2))
  const length = (half.at(-1)?.[0] ?? 0) - (half.at(0)?.[0] ?? 0)
  const [growth, error] = [slope * length, Math.sqrt(rest / (samples - 2) / spread) * length]
  const allowed = Math.max(LARGEST_GROWTH * Math.abs(mean), ERRORS * error, unit === 'MB' ? LEAST_MB : 0)
  const isFlat = samples >= FEWEST_SAMPLES && growth <= allowed
  return { samples, mean, least: Math.min(...values), most: Math.max(...values), growth, error, isFlat }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
