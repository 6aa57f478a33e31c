import { Redis } from 'ioredis'
import { Loader, RedisCache } from 'layered-loader'
import { TTL_MS, type OpenCache } from '../opened.js'

/** `lru-map` in front of RedisCache with `json: true`, as its README has it. */
export const openLayeredLoader: OpenCache = ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const client =
    redisUrl === undefined
      ? undefined
      : new Redis(redisUrl, commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
  client?.on('error', () => {})
  const loader = new Loader({
    ...(memoryItems > 0 && { inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: TTL_MS, maxItems: memoryItems } }),
    ...(client && { asyncCache: new RedisCache(client, { json: true, ttlInMsecs: TTL_MS }) }),
    dataSourceGetOneFn: load,
  })
  return Promise.resolve({
    get: (n) => loader.get(keys[n]!),
    readNow: (order) => {
      let found = 0
      for (const n of order) if (loader.getInMemoryOnly(keys[n]!) !== undefined) found += 1
      return found
    },
    close: async () => client?.disconnect(),
  })
}
