import { randomBytes } from 'node:crypto'
import { fastify } from 'fastify'
import config, { loadConfig } from '../../plugins/config.js'
import redis from '../../plugins/redis.js'
import { type Journal, openCache, type RedisClient, type TieredCache } from '../../services/cache/index.js'
import { longestEntryLifetimeMs } from '../../services/cache-map.js'
import { designs } from '../../services/designs/definition.js'
import { ResourceAddresses } from '../../services/resource/addresses.js'
import { textEtag } from '../../services/documents/etag.js'
import { documentCodec } from '../../services/documents/codec.js'
import { Document } from '../../services/documents/document.js'
import { until } from '../../test/helpers/deadline.js'
import type { CacheOptions, Opened } from './opened.js'
import { stillJournal } from './still-journal.js'

const addresses = new ResourceAddresses(designs)
const KEYS_PER_OWNER = 100
const UNBOUNDED_BYTES = 4 * 1024 ** 3
/** Everything is larger: the memory tier is there and keeps nothing. */
const NO_BYTES = 1

export interface EngineOfBench {
  readonly cache: TieredCache
  close(): Promise<void>
}

/** The engine as plugins/cache.ts opens it, with the client that plugins/redis.ts makes, over a journal of choice. */
export async function openEngine(options: {
  readonly memoryItems: number
  readonly redisUrl: string | undefined
  readonly journal: Journal
  readonly commandTimeoutMs?: number | undefined
}): Promise<EngineOfBench> {
  const { memoryItems, redisUrl, journal } = options
  const app = await clientsOf(redisUrl, options.commandTimeoutMs)
  const cache = await openCache({
    journal,
    redis: app.client && { client: app.client },
    codec: documentCodec,
    // A turn is one long run of JavaScript: with the default no tail would come through in time on a busy machine.
    boundMs: 20_000,
    maxItems: memoryItems === 0 ? 1 : memoryItems,
    maxBytes: memoryItems === 0 ? NO_BYTES : UNBOUNDED_BYTES,
    longestLifetimeMs: longestEntryLifetimeMs(300),
  })
  await settled(cache, redisUrl)
  return {
    cache,
    async close() {
      await cache.close()
      await app.close()
    },
  }
}

async function settled(cache: TieredCache, redisUrl: string | undefined): Promise<void> {
  const state = redisUrl === undefined ? 'memory-only' : 'coherent'
  await until(() => cache.state === state, { describe: `the cache is ${state}`, timeoutMs: 30_000 })
}

async function clientsOf(
  redisUrl: string | undefined,
  commandTimeoutMs: number | undefined,
): Promise<{ client: RedisClient | undefined; close: () => Promise<void> }> {
  if (redisUrl === undefined) return { client: undefined, close: () => Promise.resolve() }
  const environment = {
    REDIS_URL: redisUrl,
    ADMIN_TOKENS: 'bench'.padEnd(32, '-'),
    ...(commandTimeoutMs !== undefined && { REDIS_COMMAND_TIMEOUT_MS: String(commandTimeoutMs) }),
  }
  const app = fastify()
  await app.register(config, { config: loadConfig(environment) })
  await app.register(redis)
  await app.ready()
  return { client: app.redis, close: () => app.close() }
}

/** Keys in an order of their own, some owners with a hundred each. The address is made for each read, as the services do. */
export async function openRoundhouse(options: CacheOptions): Promise<Opened> {
  const { keys, load } = options
  const journal = stillJournal(options.sharedId ?? randomBytes(6).toString('hex'))
  const { cache, close } = await openEngine({ ...options, journal })
  const owners = keys.map((_, n) => `user-${Math.floor(n / KEYS_PER_OWNER)}`)
  return {
    get(n) {
      const key = keys[n]!
      const entry = addresses.document(owners[n]!, key)
      return cache.getOrLoad(entry.key, entry, async () => new Document(JSON.stringify(await load(key)), ETAG))
    },
    readNow: (order) => {
      let found = 0
      for (const n of order) if (cache.peek(addresses.document(owners[n]!, keys[n]!).key) !== undefined) found += 1
      return found
    },
    hits: () => {
      const { memoryHits: memory, redisHits: redis } = cache.stats()
      return { memory, redis }
    },
    settled: () => settled(cache, options.redisUrl),
    close,
  }
}

/** A row's ETag is its version: nothing is hashed for it. */
const ETAG = textEtag('version 1')
