import type { CacheSection, DomainsSection } from '../cache-report.js'
import type { PoolUse } from '../database/database.js'
import type { Family, Sample } from './exposition.js'
import type { ProcessFigures } from './process.js'

/** A report as this release makes it. One of another release may lack anything. */
export interface Sections {
  readonly service: { readonly node: string; readonly database: string; readonly started_at: string }
  readonly cache: CacheSection
  readonly domains: DomainsSection
  readonly http: {
    readonly routes: readonly {
      readonly method: string
      readonly route: string
      readonly statuses: Readonly<Record<string, number>>
      readonly durations: { readonly counts: readonly number[]; readonly seconds: number } | null
    }[]
  }
  readonly process: ReturnType<ProcessFigures['toJSON']>
  readonly pool: PoolUse
}

/** A metric, and how it is read from the report of a replica that is not silent. */
export interface Metric extends Omit<Family, 'samples'> {
  /** Beside `replica`. */
  readonly labels: readonly string[]
  read(report: Sections): Iterable<Sample>
}

export function metric(type: Family['type'], name: string, help: string, labels: string, read: Metric['read']): Metric {
  return { type, name: `roundhouse_${name}`, help, labels: labels.split(' ').filter((label) => label !== ''), read }
}

/** One number without further labels. */
export const one =
  (of: (report: Sections) => number | null | undefined): Metric['read'] =>
  (report) => {
    const value = of(report)
    return value === null || value === undefined ? [] : [[{}, value]]
  }

type Domain = DomainsSection[string]

export const ofDomains =
  (of: (counts: Domain) => readonly Sample[]): Metric['read'] =>
  ({ domains }) =>
    Object.entries(domains).flatMap(([domain, counts]) =>
      of(counts).map(([labels, value]): Sample => [{ domain, of: counts.of, ...labels }, value]),
    )

export const ofRoutes =
  (of: (route: Sections['http']['routes'][number]) => readonly Sample[]): Metric['read'] =>
  ({ http }) =>
    http.routes.flatMap((route) =>
      of(route).map(([labels, value]): Sample => [{ method: route.method, route: route.route, ...labels }, value]),
    )
