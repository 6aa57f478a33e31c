import { createCache } from 'async-cache-dedupe'
import { Redis } from 'ioredis'
import { TAG, TTL_MS, type OpenCache } from '../opened.js'

/** Memory or Redis, never both: with a Redis URL it is Redis. */
export const openAsyncCacheDedupe: OpenCache = (options) => {
  const { keys, memoryItems, redisUrl, load, isTagged = false, commandTimeoutMs } = options
  const client =
    redisUrl === undefined
      ? undefined
      : new Redis(redisUrl, commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
  client?.on('error', () => {})
  const cache = createCache({
    ttl: TTL_MS / 1_000,
    storage:
      client === undefined
        ? { type: 'memory', options: { size: memoryItems, invalidation: isTagged } }
        : { type: 'redis', options: { client, ...(isTagged && { invalidation: { referencesTTL: TTL_MS / 1_000 } }) } },
  })
  cache.define('fetch', isTagged ? { references: () => [TAG] } : {}, load)
  return Promise.resolve({
    get: (n) => cache.fetch(keys[n]!),
    invalidateAll: () => cache.invalidate('fetch', [TAG]),
    close: async () => client?.disconnect(),
  })
}
