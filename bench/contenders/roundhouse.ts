import { randomBytes } from 'node:crypto'
import { fastify } from 'fastify'
import config, { loadConfig } from '../../plugins/config.js'
import redis from '../../plugins/redis.js'
import {
  Document,
  type EntryAddress,
  type JournalStore,
  openTieredCache,
  systemClock,
  type RedisClient,
  type TieredCache,
} from '../../services/cache/index.js'
import { designEntry, longestEntryLifetimeMs } from '../../services/cache-map.js'
import { textEtag } from '../../services/catalogue/etag.js'
import { createJournalStore, migrate, openDatabase, type Database } from '../../services/database/index.js'
import { until } from '../../test/helpers/deadline.js'
import type { CacheOptions, Opened } from './opened.js'
import { stillJournal } from './still-journal.js'

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
  readonly journal: JournalStore
  readonly commandTimeoutMs?: number | undefined
}): Promise<EngineOfBench> {
  const { memoryItems, redisUrl, journal } = options
  const app = await clientsOf(redisUrl, options.commandTimeoutMs)
  const cache = await openTieredCache({
    isEnabled: true,
    journal,
    redis: app.client && { client: app.client, isCluster: false },
    clock: systemClock,
    random: Math.random,
    randomId: ids(),
    boundMs: 1_000,
    staleIfErrorMs: 60_000,
    maxItems: memoryItems === 0 ? 1 : memoryItems,
    maxBytes: memoryItems === 0 ? NO_BYTES : UNBOUNDED_BYTES,
    longestLifetimeMs: longestEntryLifetimeMs(300),
    leaseMs: 2_000,
    isTimed: true,
    events: {
      onState: () => {},
      onRedisLost: () => {},
      onRedisLive: () => {},
      onCapacity: () => {},
      onDiscontinuity: () => {},
    },
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

/** As in plugins/cache.ts. */
function ids(): () => string {
  const process = randomBytes(9).toString('base64url')
  let count = 0
  return () => `${process}${(count += 1).toString(36)}`
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
  return { client: app.redisClient, close: () => app.close() }
}

async function databaseOf(url: string | undefined): Promise<Database | undefined> {
  if (url === undefined) return undefined
  const database = await openDatabase({ url, dataDir: '' })
  await migrate(database)
  return database
}

/** Entry addresses of keys, some owners with a hundred each: what the services hand to the engine. */
export function addressesOf(keys: readonly string[], isOneOwner = false): EntryAddress[] {
  return keys.map((key, n) => designEntry(`user-${isOneOwner ? 0 : Math.floor(n / KEYS_PER_OWNER)}`, key))
}

export async function openRoundhouse(options: CacheOptions): Promise<Opened> {
  const { keys, load, isTagged = false } = options
  const database = await databaseOf(options.databaseUrl)
  const id = options.sharedId ?? randomBytes(6).toString('hex')
  const journal = database === undefined ? stillJournal(id) : createJournalStore(database)
  const { cache, close } = await openEngine({ ...options, journal })
  const addresses = addressesOf(keys, isTagged)
  const loaderOf = (key: string) => async (): Promise<Document> => {
    const json = JSON.stringify(await load(key))
    return new Document(json, ETAG)
  }
  return {
    get: (n) => cache.getOrLoad(addresses[n]!, loaderOf(keys[n]!)),
    readNow: (order) => {
      let found = 0
      for (const n of order) if (cache.peek(addresses[n]!) !== undefined) found += 1
      return found
    },
    hits: () => {
      const { memory_hits: memory, redis_hits: redis } = cache.stats()
      return { memory, redis }
    },
    settled: () => settled(cache, options.redisUrl),
    async invalidateAll() {
      // What `invalidate` does, in its two steps.
      const startedAt = performance.now()
      const raised = await journal.raise([addresses[0]!.tags[1]!])
      const committedAt = performance.now()
      await cache.raise(raised)
      return { commit: committedAt - startedAt }
    },
    async close() {
      await close()
      await database?.close()
    },
  }
}

/** A row's ETag is its version: nothing is hashed for it. */
const ETAG = textEtag('version 1')
