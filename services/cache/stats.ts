import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Lookup } from './entry.js'

export interface DomainStats {
  readonly hits: number
  readonly misses: number
  readonly hit_rate_percent: number
  readonly loads: number
  readonly load_ms_p50: number
  readonly load_ms_p99: number
}

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
  memoryErrors = 0
  readonly #domains = new Map<string, DomainCounts>()
  readonly #isTimed: boolean

  constructor(options: { isTimed: boolean }) {
    this.#isTimed = options.isTimed
  }

  /** At the end of every read that went through the cache. */
  record(domain: string, lookup: Lookup): void {
    const counts = this.of(domain)
    if (lookup.outcome === 'miss' || lookup.outcome === 'bypass') {
      counts.misses += 1
      return
    }
    if (lookup.tier === 'memory') counts.memoryHits += 1
    else counts.redisHits += 1
    if (lookup.outcome !== 'hit') counts.staleHits += 1
    if (lookup.document === undefined) counts.negativeHits += 1
  }

  recordLoad(domain: string, milliseconds: number): void {
    const counts = this.of(domain)
    counts.loads += 1
    counts.loadMicroseconds?.record(Math.max(1, Math.round(milliseconds * 1_000)))
  }

  /** One count over all domains. */
  total(count: Exclude<keyof DomainCounts, 'loadMicroseconds'>): number {
    let total = 0
    for (const counts of this.#domains.values()) total += counts[count]
    return total
  }

  domains(): Record<string, DomainStats> {
    return Object.fromEntries([...this.#domains].map(([domain, counts]) => [domain, statsOf(counts)]))
  }

  of(domain: string): DomainCounts {
    let counts = this.#domains.get(domain)
    if (counts === undefined) {
      const loadMicroseconds = this.#isTimed ? createHistogram() : undefined
      counts = { memoryHits: 0, redisHits: 0, staleHits: 0, negativeHits: 0, misses: 0, loads: 0, loadMicroseconds }
      this.#domains.set(domain, counts)
    }
    return counts
  }
}

function statsOf({ memoryHits, redisHits, misses, loads, loadMicroseconds }: DomainCounts): DomainStats {
  const hits = memoryHits + redisHits
  const percentileMs = (percentile: number): number =>
    loads === 0 || loadMicroseconds === undefined ? 0 : loadMicroseconds.percentile(percentile) / 1_000
  return {
    hits,
    misses,
    hit_rate_percent: percent(hits, hits + misses),
    loads,
    load_ms_p50: percentileMs(50),
    load_ms_p99: percentileMs(99),
  }
}

/** `part` of `whole` in percent with one decimal; 0 of nothing. */
export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((1_000 * part) / whole) / 10
}
