import type { Replica } from './replica.js'

/** Counts since the start, of all and of each domain. */
export function stats(replica: Replica) {
  const { stats, memory, redis, settings } = replica
  const { refusedFills, invalidations, memoryErrors, backgroundErrors, domains } = stats
  const { items: memoryItems, bytes: memoryBytes, evictions, expirations } = memory
  const isRedisAvailable = redis?.breaker.isDown === false
  const ofMemory = { memoryItems, memoryBytes, memoryErrors, evictions, expirations }
  const { redisErrors, redisRefusals, invalidEntries, oversizedEntries } = stats
  const redisRefuses = redis?.refusals.inShort
  const ofRedis = { redisErrors, redisRefusals, invalidEntries, oversizedEntries, redisRefuses, isRedisAvailable }
  const isEnabled = settings.isEnabled
  return {
    ...stats.total(),
    ...ofMemory,
    ...ofRedis,
    refusedFills,
    invalidations,
    backgroundErrors,
    isEnabled,
    verified: replica.verifier.counts,
    domains,
  }
}

/** How closely the journal is followed, and what Redis costs. */
export function following(replica: Replica) {
  const { follower, knowledge, redis, settings, clock, verifier } = replica
  const { boundMs, maxItems, maxBytes } = settings
  const barrierAgeMs = follower.sinceBarrier(clock.now())
  return {
    boundMs,
    maxItems,
    maxBytes,
    /** `undefined` before the first tail, and while caching is off. */
    barrierAgeMs: Number.isFinite(barrierAgeMs) ? barrierAgeMs : undefined,
    /** How many replicas are known to follow the same journal. */
    replicas: follower.replicas,
    tails: follower.tails,
    failedTails: follower.failedTails,
    tailMs: follower.tailMs,
    /** Why the journal is not followed, while it is not. */
    reason: follower.reason,
    hints: knowledge.hints.size,
    hintsGiven: knowledge.hints.given,
    answerAges: verifier.ages,
    redis: redis && {
      durations: redis.durations,
      openings: redis.breaker.openings,
      isOpen: redis.breaker.isOpen,
      isDown: redis.breaker.isDown,
    },
  }
}

/** How each part is, in one word. */
export function health(replica: Replica) {
  const { settings, redis, announcer, state, stateChanges } = replica
  const journalWord = state === 'isolated' ? 'unavailable' : 'healthy'
  return {
    state,
    redis: redisWord(redis),
    /** What Redis refuses, and the code of its reason: `writes (OOM)`. */
    redisRefuses: redis?.refusals.inShort,
    memory: 'healthy',
    journal: settings.isEnabled ? journalWord : 'disabled',
    announcements: (settings.isEnabled && announcer?.state) || 'disabled',
    stateChanges,
  }
}

/** `unstable`: it answers and is in use, but has come and gone too often to be relied on yet. */
function redisWord(redis: Replica['redis']): string {
  if (redis === undefined) return 'disabled'
  const { breaker, refusals } = redis
  if (breaker.isDown) return breaker.isOpen ? 'unavailable' : 'unstable'
  return refusals.inShort === undefined ? 'healthy' : 'refusing'
}
