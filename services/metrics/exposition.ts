import { DURATION_BOUNDS } from '../cache/index.js'

export type Labels = Readonly<Record<string, string | number>>

/** Durations as a report has them: counts by bucket, not cumulative. */
export interface Buckets {
  readonly counts: readonly number[]
  readonly seconds: number
}

export type Sample = readonly [labels: Labels, value: number | Buckets]

/** One metric, with all that is said of it. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Prometheus' text format, 0.0.4. A family without samples is left out. */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = samples.flatMap((sample) => linesOf(name, sample))
      return [`# HELP ${name} ${escaped(help, /[\\\n]/g)}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
    })
    .join('')
}

function linesOf(name: string, [labels, value]: Sample): string[] {
  if (typeof value === 'number') return [line(name, labels, value)]
  let sum = 0
  const buckets = value.counts.map((count, bucket) => {
    sum += count
    return line(`${name}_bucket`, { ...labels, le: DURATION_BOUNDS[bucket] ?? '+Inf' }, sum)
  })
  return [...buckets, line(`${name}_sum`, labels, value.seconds), line(`${name}_count`, labels, sum)]
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text), /[\\\n"]/g)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

function escaped(text: string, what: RegExp): string {
  return text.replaceAll(what, (character) => (character === '\n' ? '\\n' : `\\${character}`))
}
