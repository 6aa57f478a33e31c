import type { CacheStats, TieredCache } from './cache/index.js'
import { credentialDomains } from './cache-map.js'

/** The cache's counts as the HTTP API names them. Percentages have one decimal, and are 0 of nothing. */
export function cacheReport(stats: CacheStats) {
  const { memoryHits, redisHits, misses, loads, evictions, expirations, invalidations } = stats
  const hits = memoryHits + redisHits
  return {
    hits,
    misses,
    memory_hits: memoryHits,
    redis_hits: redisHits,
    stale_hits: stats.staleHits,
    negative_hits: stats.negativeHits,
    redis_errors: stats.redisErrors,
    redis_refusals: stats.redisRefusals,
    redis_refuses: stats.redisRefuses ?? null,
    invalid_entries: stats.invalidEntries,
    oversized_entries: stats.oversizedEntries,
    verified: stats.verified,
    memory_errors: stats.memoryErrors,
    background_errors: stats.backgroundErrors,
    hit_rate_percent: percent(hits, hits + misses),
    memory_cache_size: stats.memoryItems,
    memory_cache_bytes: stats.memoryBytes,
    evictions,
    expirations,
    invalidations,
    loads,
    refused_fills: stats.refusedFills,
    redis_available: stats.isRedisAvailable,
    enabled: stats.isEnabled,
  }
}

/** The same of each domain, with how long its loads take. */
export function domainReports({ domains }: CacheStats) {
  return Object.fromEntries(
    [...domains].map(([domain, { memoryHits, redisHits, misses, loads, loadMicroseconds }]) => {
      const hits = memoryHits + redisHits
      const ms = (percentile: number): number =>
        loads === 0 ? 0 : (loadMicroseconds?.percentile(percentile) ?? 0) / 1_000
      const rate = percent(hits, hits + misses)
      return [domain, { hits, misses, hit_rate_percent: rate, loads, load_ms_p50: ms(50), load_ms_p99: ms(99) }]
    }),
  )
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((1_000 * part) / whole) / 10
}

export type CacheSection = ReturnType<typeof cacheSection>
export type DomainsSection = ReturnType<typeof domainsSection>

/** Reads of rows and lists alone: who users and their tokens are is asked with nearly every request, and mostly known. */
export function documentReport({ domains }: CacheStats) {
  const ofDocuments = [...domains].filter(([domain]) => !credentialDomains.has(domain)).map(([, counts]) => counts)
  const hits = ofDocuments.reduce((sum, { memoryHits, redisHits }) => sum + memoryHits + redisHits, 0)
  const misses = ofDocuments.reduce((sum, counts) => sum + counts.misses, 0)
  return { hits, misses, hit_rate_percent: percent(hits, hits + misses) }
}

/** The section `cache` of a replica's report: state, counts and bounds, as they are. */
export function cacheSection(cache: TieredCache) {
  const { state, redis, redisRefuses, journal, announcements, stateChanges } = cache.health()
  const { redis: tier, ...following } = cache.following()
  return {
    state,
    state_changes: stateChanges,
    parts: { redis, redis_refuses: redisRefuses ?? null, journal, announcements },
    counts: cacheReport(cache.stats()),
    bound_ms: following.boundMs,
    barrier_age_ms: following.barrierAgeMs ?? null,
    tails: following.tails,
    tail_ms: Math.round(following.tailMs * 10) / 10,
    reason: state === 'isolated' ? following.reason : null,
    failed_tails: following.failedTails,
    hints: following.hints,
    hints_given: following.hintsGiven,
    answer_ages: following.answerAges,
    max_items: following.maxItems,
    max_bytes: following.maxBytes,
    /** `null`: none is configured. */
    redis:
      tier === undefined
        ? null
        : { breaker_open: tier.isOpen, down: tier.isDown, openings: tier.openings, commands: tier.durations },
  }
}

/** The section `domains`: the counts of each. `of`: documents of a resource and its lists, or who users and their tokens are. */
export function domainsSection(cache: TieredCache) {
  return Object.fromEntries(
    [...cache.stats().domains].map(([domain, counts]) => [
      domain,
      {
        of: credentialDomains.has(domain) ? 'principals' : 'documents',
        memory_hits: counts.memoryHits,
        redis_hits: counts.redisHits,
        stale_hits: counts.staleHits,
        negative_hits: counts.negativeHits,
        misses: counts.misses,
        loads: counts.loads,
        load_durations: counts.loadDurations,
      },
    ]),
  )
}
