import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Lookup } from './entry.js'
import type { Replica } from './replica.js'

/** What happened in one domain since the start. */
export interface DomainCounts {
  memoryHits: number
  redisHits: number
  /** Hits of entries that were stale by time, or answered on error. */
  staleHits: number
  negativeHits: number
  misses: number
  loads: number
  /** `undefined` when loads are not timed: a histogram is large. */
  readonly loadMicroseconds: RecordableHistogram | undefined
}

/**
 * Counts since the start. Each read is counted once, at its end: by {@link Stats.record}, or where a memory hit is
 * answered without further ado, on the counts its entry carries.
 */
export class Stats {
  refusedFills = 0
  invalidations = 0
  redisErrors = 0
  /** Values that could not be kept. */
  memoryErrors = 0
  readonly domains = new Map<string, DomainCounts>()
  readonly #isTimed: boolean

  constructor(options: { isTimed: boolean }) {
    this.#isTimed = options.isTimed
  }

  record(domain: string | undefined, { outcome, tier, value }: Lookup): void {
    const counts = this.of(domain)
    if (tier === undefined) counts.misses += 1
    else {
      counts[tier === 'memory' ? 'memoryHits' : 'redisHits'] += 1
      if (outcome !== 'hit') counts.staleHits += 1
      if (value === undefined) counts.negativeHits += 1
    }
  }

  recordLoad(domain: string | undefined, milliseconds: number): void {
    const counts = this.of(domain)
    counts.loads += 1
    counts.loadMicroseconds?.record(Math.max(1, Math.round(milliseconds * 1_000)))
  }

  /** What names no domain is counted under `default`. */
  of(domain = 'default'): DomainCounts {
    let counts = this.domains.get(domain)
    if (counts === undefined) {
      const loadMicroseconds = this.#isTimed ? createHistogram() : undefined
      counts = { memoryHits: 0, redisHits: 0, staleHits: 0, negativeHits: 0, misses: 0, loads: 0, loadMicroseconds }
      this.domains.set(domain, counts)
    }
    return counts
  }
}

export type CacheStats = ReturnType<typeof cacheStats>

/** The counts as they are shown. Percentages have one decimal, and are 0 of nothing. */
export function cacheStats({ stats, memory, redis, settings }: Replica) {
  const total = (count: Exclude<keyof DomainCounts, 'loadMicroseconds'>): number =>
    [...stats.domains.values()].reduce((sum, counts) => sum + counts[count], 0)
  const hits = total('memoryHits') + total('redisHits')
  const misses = total('misses')
  return {
    hits,
    misses,
    memory_hits: total('memoryHits'),
    redis_hits: total('redisHits'),
    stale_hits: total('staleHits'),
    negative_hits: total('negativeHits'),
    redis_errors: stats.redisErrors,
    memory_errors: stats.memoryErrors,
    hit_rate_percent: percent(hits, hits + misses),
    memory_cache_size: memory.items,
    memory_cache_bytes: memory.bytes,
    evictions: memory.evictions,
    expirations: memory.expirations,
    invalidations: stats.invalidations,
    loads: total('loads'),
    refused_fills: stats.refusedFills,
    redis_available: redis !== undefined && !redis.breaker.isDown,
    enabled: settings.isEnabled,
    domains: Object.fromEntries([...stats.domains].map(([domain, counts]) => [domain, domainStats(counts)])),
  }
}

function domainStats({ memoryHits, redisHits, misses, loads, loadMicroseconds }: DomainCounts) {
  const hits = memoryHits + redisHits
  const ms = (percentile: number): number => (loads === 0 ? 0 : (loadMicroseconds?.percentile(percentile) ?? 0) / 1_000)
  const rate = percent(hits, hits + misses)
  return { hits, misses, hit_rate_percent: rate, loads, load_ms_p50: ms(50), load_ms_p99: ms(99) }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((1_000 * part) / whole) / 10
}
