import type { Bounds } from './report.js'
import type { Result } from './result.js'

export interface Check {
  readonly target: string
  readonly found: string
  readonly isMet: boolean
}

/** How far the memory tier alone may be from the bound, in percentage points. */
const MEMORY_TOLERANCE = 1

/** How much shorter a cached answer takes on PostgreSQL, in percent of the uncached one. */
const LATENCY_REDUCTION = 80

/** The targets, of those that the results are about. */
export function checksOf(results: readonly Result[], bounds: Bounds, isPostgres: boolean): Check[] {
  const [noCache, memory, both] = (['no cache', 'memory', 'memory and Redis'] as const).map((setting) =>
    results.find((result) => result.setting === setting),
  )
  const failures = results.reduce((sum, { counts }) => sum + counts.failure, 0)
  const checks = [{ target: 'no failures', found: String(failures), isMet: failures === 0 }]
  if (both !== undefined) {
    const target = `memory and Redis: exactly one load per page (${bounds.pages})`
    checks.push({ target, found: String(both.counts.database), isMet: both.counts.database === bounds.pages })
  }
  if (memory !== undefined) {
    const target = `memory: within ${MEMORY_TOLERANCE} point of ${bounds.memoryReduction.toFixed(1)} %`
    const isMet = Math.abs(memory.reduction - bounds.memoryReduction) <= MEMORY_TOLERANCE
    checks.push({ target, found: `${memory.reduction.toFixed(1)} %`, isMet })
  }
  if (isPostgres && noCache?.all && both?.cached && both.uncached) {
    // Without a cache each request looks up its token and user too; what misses in a cache does not, but fills it.
    const uncached = Math.min(noCache.all.p50, both.uncached.p50)
    const reduction = 100 * (1 - both.cached.p50 / uncached)
    const target = `p50 of a cached answer: at least ${LATENCY_REDUCTION} % below the uncached one`
    checks.push({ target, found: `${reduction.toFixed(1)} %`, isMet: reduction >= LATENCY_REDUCTION })
  }
  return checks
}
