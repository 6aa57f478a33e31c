import { grouped } from '../../commands/progress.js'
import type { Percentiles, Result } from './result.js'
import { MEMORY_ITEMS, type Setting } from './settings.js'
import { sieveMisses, type Trace } from './trace.js'

/** What the trace lets a cache do at best. */
export interface Bounds {
  readonly pages: number
  /** Of a cache that never forgets, in percent. */
  readonly reduction: number
  /** Of the memory tier alone, in percent. */
  readonly memoryReduction: number
}

export function boundsOf(trace: Trace): Bounds {
  const total = trace.requests.length
  const share = (loads: number): number => 100 * (1 - loads / total)
  const memoryReduction = share(sieveMisses(trace, MEMORY_ITEMS))
  return { pages: trace.pages, reduction: share(trace.pages), memoryReduction }
}

/** The results side by side, as a table in Markdown. */
export function tableOf(results: readonly Result[], bounds: Bounds): string {
  const noCache = results.find(({ setting }) => setting === 'no cache')?.all
  const row = (name: string, cell: (result: Result) => string): string[] => [name, ...results.map(cell)]
  return markdown([
    row('', ({ setting }) => (setting === 'memory' ? `memory, ${grouped(MEMORY_ITEMS)} items` : setting)),
    row('requests', ({ requests }) => grouped(requests)),
    row('failures', ({ counts }) => grouped(counts.failure)),
    row('database queries for designs', ({ designQueries }) => grouped(designQueries)),
    row('fewer loads than requests', ({ reduction }) => percent(reduction)),
    row('bound of the trace', ({ setting }) => boundText(setting, bounds)),
    row('database queries of every kind', ({ allQueries }) => grouped(allQueries)),
    row('hits in memory', ({ counts }) => grouped(counts.memory)),
    row('hits in Redis', ({ counts }) => grouped(counts.redis)),
    row('loads', ({ counts }) => grouped(counts.database)),
    row('joined a load under way', ({ counts }) => grouped(counts.joined)),
    row('errors of Redis', ({ redisErrors }) => grouped(redisErrors)),
    row('all answers, p50 / p99 in ms', ({ all }) => milliseconds(all)),
    row('cached answers, p50 / p99 in ms', ({ cached }) => milliseconds(cached)),
    row('uncached answers, p50 / p99 in ms', ({ uncached }) => milliseconds(uncached)),
    row('p50 of cached below no cache', ({ cached }) => below(cached, noCache)),
    row('p50 of cached below uncached', ({ cached, uncached }) => below(cached, uncached)),
    row('requests per second', ({ requests, seconds }) => grouped(Math.round(requests / seconds))),
    row('processor time of the service, s', ({ serviceCpuSeconds }) => serviceCpuSeconds.toFixed(1)),
  ])
}

function boundText(setting: Setting, bounds: Bounds): string {
  switch (setting) {
    case 'no cache':
      return '–'
    case 'memory':
      return `${percent(bounds.memoryReduction)} (SIEVE)`
    case 'memory and Redis':
      return `${percent(bounds.reduction)} (${grouped(bounds.pages)} pages)`
  }
}

function below(cached: Percentiles | undefined, uncached: Percentiles | undefined): string {
  return cached === undefined || uncached === undefined ? '–' : percent(100 * (1 - cached.p50 / uncached.p50))
}

function percent(value: number): string {
  return `${value.toFixed(1)} %`
}

function milliseconds(percentiles: Percentiles | undefined): string {
  return percentiles === undefined ? '–' : `${percentiles.p50.toFixed(3)} / ${percentiles.p99.toFixed(3)}`
}

function markdown(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(Math.max(1, width - 1))}:`))
  return [line(head), line(rule), ...rows.slice(1).map(line)].join('\n')
}
