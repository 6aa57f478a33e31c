import { randomBytes } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import {
  type EngineEvents,
  type EntryAddress,
  openTieredCache,
  systemClock,
  type TieredCache,
} from '../services/cache/index.js'
import { entryOfKey, longestEntryLifetimeMs } from '../services/cache-map.js'
import { createJournalStore } from '../services/database/index.js'
import { HealthProbe } from '../services/health.js'

declare module 'fastify' {
  interface FastifyInstance {
    cache: TieredCache
    health: HealthProbe
    /** The address behind a key as logs and inspection show it; `undefined` when no domain has such keys. */
    entryOfKey: (key: string) => EntryAddress | undefined
  }
}

/** Longest a load is waited for by other replicas, in ms; above the slowest query that is normal. */
const LEASE_MS = 2_000
const CAPACITY_LOG_EVERY_MS = 60_000
const HEALTH_LOG_EVERY_MS = 300_000

/** Builds the tiered cache from the settings, Redis and the journal; closed before the clients it uses. */
export default fp(
  async (fastify) => {
    const { config, log } = fastify
    const cache = await openTieredCache({
      isEnabled: config.isCachingEnabled,
      journal: createJournalStore(fastify.db, { tailTimeoutMs: config.stalenessBoundMs }),
      redis: fastify.redisClient && { client: fastify.redisClient, isCluster: config.redis?.cluster === true },
      clock: systemClock,
      random: Math.random,
      randomId: ids(),
      boundMs: config.stalenessBoundMs,
      staleIfErrorMs: config.staleIfErrorSeconds * 1_000,
      maxItems: config.cacheMaxMemoryItems,
      maxBytes: config.cacheMaxMemoryBytes,
      longestLifetimeMs: longestEntryLifetimeMs(config.cacheTtlSeconds),
      leaseMs: LEASE_MS,
      isTimed: config.isPerformanceMonitoring,
      events: logEvents(log),
    })
    const { redisClient } = fastify
    const pingRedis = redisClient && (() => redisClient.ping())
    fastify.decorate('cache', cache)
    const health = new HealthProbe({ cache, database: fastify.db, pingRedis, clock: systemClock })
    fastify.decorate('health', health)
    fastify.decorate('entryOfKey', entryOfKey)
    const healthLog = setInterval(() => void logHealth(health, cache, log), HEALTH_LOG_EVERY_MS).unref()
    fastify.addHook('onClose', async () => {
      clearInterval(healthLog)
      await cache.close()
    })
    log.info({ state: cache.state }, '✅ Cache service initialized successfully')
  },
  { name: 'cache', dependencies: ['config', 'database', 'redis'] },
)

/** Unique over all processes and all time; random only once, since a read may need one. */
function ids(): () => string {
  const process = randomBytes(9).toString('base64url')
  let count = 0
  return () => `${process}${(count++).toString(36)}`
}

function logEvents(log: FastifyBaseLogger): EngineEvents {
  let capacityLoggedAt = Number.NEGATIVE_INFINITY
  return {
    onState({ from, to, reason }) {
      const level = to === 'isolated' ? 'error' : from === undefined || to === 'coherent' ? 'info' : 'warn'
      log[level]({ from, to, reason }, `Cache state: ${from === undefined ? to : `${from} → ${to}`} (${reason})`)
    },
    onRedisLost: (reason) => log.warn(`⚠️ Redis connection failed, using memory cache: ${reason}`),
    onRedisLive: () => log.info('Redis is in use: connected and resynced with the journal'),
    onCapacity() {
      const now = systemClock.now()
      if (now - capacityLoggedAt < CAPACITY_LOG_EVERY_MS) return
      capacityLoggedAt = now
      log.warn('⚠️ Memory cache at capacity, evicting items')
    },
    onDiscontinuity() {
      log.fatal(
        'The journal went back in time: the database was replaced or restored. Ending, to start anew without old entries',
      )
      setImmediate(() => {
        throw new Error('the journal went back in time')
      })
    },
  }
}

async function logHealth(health: HealthProbe, cache: TieredCache, log: FastifyBaseLogger): Promise<void> {
  const { status, performance_stats: performance } = await health.check()
  const items = cache.stats().memory_cache_size
  log.info(`📊 Cache health: ${status} | Hit rate: ${performance.hit_rate_percent}% | Memory items: ${items}`)
}
