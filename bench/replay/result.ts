import type { Measured, Source } from './load.js'
import type { ServiceReport } from './protocol.js'
import type { Setting } from './settings.js'

export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

/** One replay of the trace against one setting. */
export interface Result {
  readonly setting: Setting
  readonly requests: number
  readonly counts: Readonly<Record<Source, number>>
  /** Statements about designs, counted where they are sent. Loads of one turn share one. */
  readonly designQueries: number
  /** Statements of every kind: with those about tokens and users, and the tail of the journal. */
  readonly allQueries: number
  /** How many of the requests cost no load, in percent. */
  readonly reduction: number
  /** In ms; `undefined` where there is no such answer. */
  readonly all: Percentiles | undefined
  readonly cached: Percentiles | undefined
  readonly uncached: Percentiles | undefined
  readonly seconds: number
  readonly redisErrors: number
  readonly serviceCpuSeconds: number
}

export function resultOf(setting: Setting, measured: Measured, report: ServiceReport): Result {
  const requests = measured.sources.length
  const counts = { memory: 0, redis: 0, database: 0, joined: 0, failure: 0 }
  for (const source of measured.sources) counts[source] += 1
  const queries = (prefix: string): number =>
    Object.entries(report.queries).reduce((sum, [name, count]) => (name.startsWith(prefix) ? sum + count : sum), 0)
  const designQueries = queries('designs.')
  const of = (...wanted: Source[]): Percentiles | undefined =>
    percentiles(measured.latenciesMs.filter((_, index) => wanted.includes(measured.sources[index] ?? 'failure')))
  return {
    setting,
    requests,
    counts,
    designQueries,
    allQueries: queries(''),
    reduction: 100 * (1 - counts.database / requests),
    all: of('memory', 'redis', 'database', 'joined'),
    cached: of('memory', 'redis'),
    uncached: of('database', 'joined'),
    seconds: measured.seconds,
    redisErrors: report.redisErrors,
    serviceCpuSeconds: report.cpuSeconds,
  }
}

function percentiles(latencies: Float64Array): Percentiles | undefined {
  const sorted = latencies.toSorted()
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return sorted.length === 0 ? undefined : { p50: at(0.5), p99: at(0.99) }
}
