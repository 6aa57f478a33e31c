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

interface DomainCounts {
  hits: number
  misses: number
  loads: number
  readonly loadMicroseconds: RecordableHistogram
}

/** What happened since the start. Counted in one place each: a read at its end, a load at its end. */
export class Stats {
  memoryHits = 0
  redisHits = 0
  staleHits = 0
  negativeHits = 0
  misses = 0
  loads = 0
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
    const counts = this.#domain(domain)
    if (lookup.outcome === 'miss' || lookup.outcome === 'bypass') {
      this.misses += 1
      counts.misses += 1
      return
    }
    counts.hits += 1
    if (lookup.tier === 'memory') this.memoryHits += 1
    else this.redisHits += 1
    if (lookup.outcome !== 'hit') this.staleHits += 1
    if (lookup.document === undefined) this.negativeHits += 1
  }

  recordLoad(domain: string, milliseconds: number): void {
    const counts = this.#domain(domain)
    this.loads += 1
    counts.loads += 1
    if (this.#isTimed) counts.loadMicroseconds.record(Math.max(1, Math.round(milliseconds * 1_000)))
  }

  get hits(): number {
    return this.memoryHits + this.redisHits
  }

  domains(): Record<string, DomainStats> {
    return Object.fromEntries(
      [...this.#domains].map(([domain, { hits, misses, loads, loadMicroseconds }]) => [
        domain,
        {
          hits,
          misses,
          hit_rate_percent: percent(hits, hits + misses),
          loads,
          load_ms_p50: loadMicroseconds.count === 0 ? 0 : loadMicroseconds.percentile(50) / 1_000,
          load_ms_p99: loadMicroseconds.count === 0 ? 0 : loadMicroseconds.percentile(99) / 1_000,
        },
      ]),
    )
  }

  #domain(domain: string): DomainCounts {
    let counts = this.#domains.get(domain)
    if (counts === undefined) {
      counts = { hits: 0, misses: 0, loads: 0, loadMicroseconds: createHistogram() }
      this.#domains.set(domain, counts)
    }
    return counts
  }
}

/** `part` of `whole` in percent with one decimal; 0 of nothing. */
export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((1_000 * part) / whole) / 10
}
