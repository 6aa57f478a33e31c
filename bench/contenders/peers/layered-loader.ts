import { Redis } from 'ioredis'
import { GroupLoader, Loader, RedisCache, RedisGroupCache } from 'layered-loader'
import { TAG, TTL_MS, type CacheOptions, type OpenCache, type Opened } from '../opened.js'

/** `lru-map` in front of RedisCache with `json: true`, as its README has it; groups stand in for tags. */
export const openLayeredLoader: OpenCache = (options) => {
  const { keys, memoryItems, redisUrl, load, isTagged = false, commandTimeoutMs } = options
  const client =
    redisUrl === undefined
      ? undefined
      : new Redis(redisUrl, commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
  client?.on('error', () => {})
  if (isTagged) return Promise.resolve(openGroups(options, client))
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

function openGroups({ keys, memoryItems, load }: CacheOptions, client: Redis | undefined): Opened {
  const loader = new GroupLoader({
    inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: TTL_MS, maxItemsPerGroup: memoryItems, maxGroups: 10 },
    ...(client && { asyncCache: new RedisGroupCache(client, { json: true, ttlInMsecs: TTL_MS }) }),
    dataSources: [{ name: 'bench', getFromGroup: (key: string) => load(key) }],
  })
  return {
    get: (n) => loader.get(keys[n]!, TAG),
    invalidateAll: () => loader.invalidateCacheForGroup(TAG),
    close: async () => client?.disconnect(),
  }
}
