import { createCache } from 'async-cache-dedupe'
import { Redis } from 'ioredis'
import { TTL_MS, type OpenCache } from '../opened.js'

/** Memory or Redis, never both: with a Redis URL it is Redis. */
export const openAsyncCacheDedupe: OpenCache = ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const client =
    redisUrl === undefined
      ? undefined
      : new Redis(redisUrl, commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
  client?.on('error', () => {})
  const cache = createCache({
    ttl: TTL_MS / 1_000,
    storage:
      client === undefined
        ? { type: 'memory', options: { size: memoryItems } }
        : { type: 'redis', options: { client } },
  })
  cache.define('fetch', {}, load)
  return Promise.resolve({
    get: (n) => cache.fetch(keys[n]!),
    close: async () => client?.disconnect(),
  })
}
