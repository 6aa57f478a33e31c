import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { type CacheEvents, openCache, systemClock, type TieredCache } from '../services/cache/index.js'
import { cachedTables, defaultLifetimes, entryOfKey, longestEntryLifetimeMs } from '../services/cache-map.js'
import { openJournal, type Statement } from '../services/database/index.js'
import { documentCodec, STORED_FORMAT } from '../services/documents/codec.js'
import { Happenings } from '../services/figures/happenings.js'
import { HealthProbe, type Probes } from '../services/health.js'
import { secretsOf } from '../services/secrets.js'

declare module 'fastify' {
  interface FastifyInstance {
    cache: TieredCache
    /** Calls `listen` with the tags of whatever changes, whoever changes it: in milliseconds as a rule, within H in any case, and often twice. */
    onTags: (listen: (tags: readonly string[]) => void) => void
    health: HealthProbe
    /** The last changes of state and of data, for who asks why. */
    happenings: Happenings
    /** The address behind a key as logs and inspection show it; `undefined` when no domain has such keys. */
    entryOfKey: typeof entryOfKey
  }
}

/** Longest a load is waited for by other replicas, in ms; above the slowest query that is normal. */
const LEASE_MS = 2_000
/** Loads that answers are looked at again by, at most: little beside what any database can do. */
const VERIFIED_PER_SECOND = 5
const CAPACITY_LOG_EVERY_MS = 60_000
const HEALTH_LOG_EVERY_MS = 300_000
const INVALID_LOG_EVERY_MS = 60_000
const MOST_NAMED = 100
const PROBE: Statement = { name: 'health.probe', text: 'select 1 as one' }

/** To wait for it takes one reading of the journal. */
const NOTHING = { transaction: 0, isOfThisHistory: false }

/** Builds the tiered cache from the settings, Redis and the journal; closed before the clients it uses. */
export default fp(
  async (fastify) => {
    const { config, log } = fastify
    const happenings = new Happenings(systemClock)
    fastify.decorate('happenings', happenings)
    const listeners = new Set<(tags: readonly string[]) => void>()
    fastify.decorate('onTags', (listen) => void listeners.add(listen))
    const [secret] = await secretsOf(fastify.db, config.tokenSecret)
    const cache = await openCache({
      isEnabled: config.isCachingEnabled,
      journal: openJournal(fastify.db, { tables: cachedTables, tailTimeoutMs: config.stalenessBoundMs }),
      redis: config.redis && { client: fastify.redis, isCluster: config.redis.cluster },
      codec: documentCodec,
      secret,
      keyPrefix: `roundhouse:${STORED_FORMAT}`,
      defaults: defaultLifetimes(config.cacheTtlSeconds),
      boundMs: config.stalenessBoundMs,
      staleIfErrorMs: config.staleIfErrorSeconds * 1_000,
      maxItems: config.cacheMaxMemoryItems,
      maxBytes: config.cacheMaxMemoryBytes,
      longestLifetimeMs: longestEntryLifetimeMs(config.cacheTtlSeconds),
      leaseMs: LEASE_MS,
      verification: { share: config.verifyShare, perSecond: VERIFIED_PER_SECOND },
      isTimed: config.isPerformanceMonitoring,
      trace: fastify.traceSteps,
      events: {
        ...eventsFor(log, happenings),
        onTags(tags) {
          for (const listen of listeners) listen(tags)
        },
      },
    })
    fastify.decorate('cache', cache)
    const probes: Probes = {
      database: () => fastify.sideConnection.query(PROBE),
      loads: () => fastify.db.query(PROBE),
      redis: config.redis && (() => cache.checkRedis()),
    }
    const health = new HealthProbe({ cache, probes, clock: systemClock })
    fastify.decorate('health', health)
    fastify.decorate('entryOfKey', entryOfKey)
    const healthLog = setInterval(() => void logHealth(health, cache, log), HEALTH_LOG_EVERY_MS).unref()
    fastify.addHook('onClose', async () => {
      clearInterval(healthLog)
      await cache.close()
    })
    // The first reading of the journal is old by the time that all schemas are compiled: who begins to listen then would be isolated.
    fastify.addHook('onReady', () => cache.waitFor(NOTHING).catch(() => {}))
    log.info({ state: cache.state }, '✅ Cache service initialized successfully')
  },
  {
    name: 'cache',
    fastify: '5.x',
    dependencies: ['config', 'database', 'redis'],
    decorators: { fastify: ['config', 'db', 'sideConnection'] },
  },
)

function eventsFor(log: FastifyBaseLogger, happenings: Happenings): Omit<CacheEvents, 'onTags'> {
  let capacityLoggedAt = Number.NEGATIVE_INFINITY
  let oversizedLoggedAt = Number.NEGATIVE_INFINITY
  let isFewItemsSaid = false
  const tellOfInvalid = invalidEntryLog(log)
  return {
    onState({ from, to, reason }) {
      happenings.turned('replica', to, reason)
      // Redis has come or gone, and has a line of its own for that.
      if ([from, to].every((state) => state === 'coherent' || state === 'memory-only')) return
      const level = to === 'isolated' ? 'error' : from === undefined || to === 'coherent' ? 'info' : 'warn'
      log[level]({ from, to, reason }, `Cache state: ${from === undefined ? to : `${from} → ${to}`} (${reason})`)
    },
    onRedisLost(reason) {
      happenings.turned('redis', 'lost', reason)
      log.warn(`⚠️ Redis connection failed, using memory cache: ${reason}`)
    },
    onRedisBack() {
      happenings.turned('redis', 'back', 'it answers and is in use')
      log.info('Redis answers and is in use')
    },
    onRedisRefusal(kind, words) {
      happenings.turned('redis', words === undefined ? 'back' : 'refusing', words ?? `it takes ${kind} again`)
      if (words === undefined) log.info(`Redis takes ${kind} again`)
      else log.warn(`Redis refuses ${kind}: ${words}`)
    },
    onChanges: (changes) => happenings.changed(changes),
    onOversizedEntry(key, bytes) {
      const now = systemClock.now()
      if (now - oversizedLoggedAt < CAPACITY_LOG_EVERY_MS) return
      oversizedLoggedAt = now
      log.warn(
        `An entry of ${bytes} bytes is too large for Redis (1 MiB at most), memory alone keeps it: ${nameOf(key)}`,
      )
    },
    onInvalidEntry: (key) => tellOfInvalid(key),
    onCapacity({ isByItems, bytes, maxBytes }) {
      if (isByItems && bytes < maxBytes / 2 && !isFewItemsSaid) {
        isFewItemsSaid = true
        const used = `${Math.round((100 * bytes) / maxBytes)} % of its bytes`
        log.warn(`Memory is full by CACHE_MAX_MEMORY_ITEMS with ${used} in use: raise it, 50,000 suits most catalogues`)
      }
      const now = systemClock.now()
      if (now - capacityLoggedAt < CAPACITY_LOG_EVERY_MS) return
      capacityLoggedAt = now
      log.warn('⚠️ Memory cache at capacity, evicting items')
    },
    onIdentity(_identity, isFirst) {
      if (isFirst) return
      happenings.turned('database', 'renewed', 'it restarted or was restored: what was cached before is forgotten')
      log.warn('The database restarted or was restored: everything cached before is forgotten')
    },
    onMissedInvalidation: (missed) =>
      log.error(
        { ...missed, key: nameOf(missed.key) },
        `Missed invalidation: the database has something else than was answered, and told nobody. Are its triggers on? ${nameOf(missed.key)}`,
      ),
    onError: (error, during) => log.warn({ err: error }, `The cache goes on, but this failed: ${during}`),
  }
}

/** A key as logs show it: that of a list ends in its query, which is the caller's text. */
function nameOf(key: string): string {
  return key.replace(/\?.*/s, '?…')
}

/** Each key once a minute, and no more than {@link MOST_NAMED} of them. */
function invalidEntryLog(log: FastifyBaseLogger): (key: string) => void {
  const named = new Set<string>()
  let since = Number.NEGATIVE_INFINITY
  return (key) => {
    const now = systemClock.now()
    if (now - since >= INVALID_LOG_EVERY_MS) {
      named.clear()
      since = now
    }
    const name = nameOf(key)
    if (named.has(name) || named.size > MOST_NAMED) return
    named.add(name)
    const which = named.size > MOST_NAMED ? 'more entries; they are counted in invalid_entries' : name
    log.warn(`Redis held what this service had not stored: loaded anew and overwritten, key ${which}`)
  }
}

async function logHealth(health: HealthProbe, cache: TieredCache, log: FastifyBaseLogger): Promise<void> {
  const { status, performance_stats: performance } = await health.check()
  const items = cache.stats().memoryItems
  log.info(`📊 Cache health: ${status} | Hit rate: ${performance.hit_rate_percent}% | Memory items: ${items}`)
}
