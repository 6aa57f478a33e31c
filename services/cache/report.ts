import type { Engine } from './engine.js'
import { type DomainStats, percent } from './stats.js'
import type { ReplicaState } from './tiers.js'

/** Counts since the start of this replica. */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  readonly memory_hits: number
  readonly redis_hits: number
  readonly stale_hits: number
  readonly negative_hits: number
  readonly redis_errors: number
  readonly memory_errors: number
  readonly hit_rate_percent: number
  readonly memory_cache_size: number
  readonly memory_cache_bytes: number
  readonly evictions: number
  readonly expirations: number
  readonly invalidations: number
  readonly loads: number
  readonly refused_fills: number
  readonly redis_available: boolean
  readonly enabled: boolean
  readonly domains: Record<string, DomainStats>
}

export interface CacheHealth {
  readonly state: ReplicaState
  readonly redis: 'healthy' | 'resyncing' | 'unavailable' | 'disabled'
  readonly memory: 'healthy'
  readonly journal: 'healthy' | 'unavailable' | 'disabled'
  /** Journal rows raised in Redis by the resync under way, of how many. */
  readonly resync: { readonly done: number; readonly total: number } | undefined
  readonly stateChanges: Record<ReplicaState, number>
}

export function cacheStats({ tiers, options }: Engine): CacheStats {
  const { stats, memory } = tiers
  const [memoryHits, redisHits, misses] = [stats.total('memoryHits'), stats.total('redisHits'), stats.total('misses')]
  const hits = memoryHits + redisHits
  return {
    hits,
    misses,
    memory_hits: memoryHits,
    redis_hits: redisHits,
    stale_hits: stats.total('staleHits'),
    negative_hits: stats.total('negativeHits'),
    redis_errors: stats.redisErrors,
    memory_errors: stats.memoryErrors,
    hit_rate_percent: percent(hits, hits + misses),
    memory_cache_size: memory.items,
    memory_cache_bytes: memory.bytes,
    evictions: memory.evictions,
    expirations: memory.expirations,
    invalidations: stats.invalidations,
    loads: stats.total('loads'),
    refused_fills: stats.refusedFills,
    redis_available: tiers.redis?.link.state === 'live',
    enabled: options.isEnabled,
    domains: stats.domains(),
  }
}

export function cacheHealth({ tiers, options, state, stateChanges }: Engine): CacheHealth {
  const link = tiers.redis?.link
  const isFollowed = tiers.journal.isCurrent(tiers.clock.now())
  return {
    state,
    redis: link === undefined || !options.isEnabled ? 'disabled' : REDIS_WORD[link.state],
    memory: 'healthy',
    journal: !options.isEnabled ? 'disabled' : isFollowed ? 'healthy' : 'unavailable',
    resync: link?.state === 'resyncing' ? link.progress : undefined,
    stateChanges,
  }
}

const REDIS_WORD = { live: 'healthy', resyncing: 'resyncing', down: 'unavailable' } as const
