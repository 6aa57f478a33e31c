import type { Clock, RunClock } from './clock.js'
import type { JournalFollower } from './journal.js'
import type { MemoryEntry } from './memory-entry.js'
import type { MemoryTier } from './memory-tier.js'
import type { RedisLink } from './redis-link.js'
import type { RedisTier } from './redis-tier.js'
import type { Stats } from './stats.js'
import type { TagRegistry } from './tags.js'

/** The parts one read walks through. */
export interface Tiers {
  readonly clock: Clock
  /** One look at the clock in a run: for what every read asks. */
  readonly runClock: RunClock
  readonly tags: TagRegistry<MemoryEntry>
  readonly memory: MemoryTier
  readonly redis: { readonly tier: RedisTier; readonly link: RedisLink } | undefined
  readonly journal: JournalFollower
  readonly stats: Stats
  readonly leaseMs: number
  readonly random: () => number
  readonly randomId: () => string
}

/** The replica's states of docs/cache.md. */
export type ReplicaState = 'coherent' | 'memory-only' | 'redis-only' | 'isolated' | 'disabled'

export function replicaState({ journal, redis }: Tiers, now: number): ReplicaState {
  if (journal.isCurrent(now)) return redis?.link.state === 'live' ? 'coherent' : 'memory-only'
  return redis?.link.isVouched(now) === true ? 'redis-only' : 'isolated'
}

/** The Redis tier, if it may answer now. */
export function usableRedis(tiers: Tiers): RedisTier | undefined {
  const { redis, journal, runClock } = tiers
  if (redis === undefined) return undefined
  const now = runClock.now()
  const isUsable = journal.isCurrent(now) ? redis.link.isTrusted : redis.link.isVouched(now)
  return isUsable ? redis.tier : undefined
}
