import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Durations } from './core/durations.js'
import type { Lookup } from './entry.js'

/** `staleHits`: hits of entries that were stale by time, or answered on error; they are hits of a tier as well. */
const NAMES = ['memoryHits', 'redisHits', 'staleHits', 'negativeHits', 'misses', 'loads'] as const
const NONE = { memoryHits: 0, redisHits: 0, staleHits: 0, negativeHits: 0, misses: 0, loads: 0 }

/** What happened since the start. */
export type Counts = Record<(typeof NAMES)[number], number>

export interface DomainCounts extends Counts {
  /** `undefined` when loads are not timed: a histogram is large. */
  readonly loadMicroseconds: RecordableHistogram | undefined
  readonly loadDurations: Durations
}

/**
 * Counts since the start. Each read is counted once, at its end: by {@link Stats.record}, or where a memory hit is
 * answered without further ado, on the counts its entry carries.
 */
export class Stats {
  refusedFills = 0
  invalidations = 0
  redisErrors = 0
  /** Of these, what the server answered with a refusal. */
  redisRefusals = 0
  /** Entries too large for Redis. */
  oversizedEntries = 0
  /** What Redis held under the name of an entry, and no replica had stored there. */
  invalidEntries = 0
  /** Failures that no reader is told of, as `onError` tells them. */
  backgroundErrors = 0
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
    counts.loadDurations.record(milliseconds)
    counts.loadMicroseconds?.record(Math.max(1, Math.round(milliseconds * 1_000)))
  }

  /** Over all domains. */
  total(): Counts {
    const total = { ...NONE }
    for (const counts of this.domains.values()) for (const name of NAMES) total[name] += counts[name]
    return total
  }

  /** What names no domain is counted under `default`. */
  of(domain = 'default'): DomainCounts {
    let counts = this.domains.get(domain)
    if (counts === undefined) {
      const loadMicroseconds = this.#isTimed ? createHistogram() : undefined
      counts = { ...NONE, loadMicroseconds, loadDurations: new Durations() }
      this.domains.set(domain, counts)
    }
    return counts
  }
}
