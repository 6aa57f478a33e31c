import type { Row, Target } from './benchmark.js'
import { figure } from './print.js'
import type { Samples } from './rounds.js'
import { ratioOf, spreadOf } from './statistics.js'

/** One figure of every round of one contender. */
export function series(samples: Samples, name: string, figure = 'rate'): number[] {
  return (samples.get(name) ?? []).map((sample) => sample[figure] ?? Number.NaN)
}

/** Of several candidates for the floor the faster one, by its median: the bar is not to be chosen low. */
export function fastest(samples: Samples, names: readonly string[]): string {
  const medianOf = (name: string): number => spreadOf(series(samples, name)).median
  return names.reduce((best, name) => (medianOf(name) > medianOf(best) ? name : best))
}

/** The rows of one comparison of rates: each contender against the floor, round by round. */
export function rateRows(
  samples: Samples,
  options: {
    readonly floor: string
    readonly targets?: Readonly<Record<string, Target>>
    readonly unit?: string
  },
): Row[] {
  const { floor, targets = {}, unit = '/s' } = options
  const floors = series(samples, floor)
  return [...samples.keys()].map((name) => {
    const values = series(samples, name)
    return {
      name,
      value: spreadOf(values),
      unit,
      ratio: name === floor ? undefined : ratioOf(values, floors),
      target: targets[name],
      note: noteOf(samples, name),
    }
  })
}

/** Processor time of one operation; and how many were not what the row is about, so that no such run passes unseen. */
function noteOf(samples: Samples, name: string): string {
  const cpu = `${figure(spreadOf(series(samples, name, 'cpu')).median)} µs of processor each`
  const { max } = spreadOf(series(samples, name, 'other'))
  return max > 0.001 ? `${cpu}; **up to ${figure(100 * max)} % were not hits**` : cpu
}
