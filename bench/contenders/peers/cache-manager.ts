import { createKeyv as createRedisKeyv } from '@keyv/redis'
import { createCache } from 'cache-manager'
import { createKeyv, type KeyvLike } from 'cacheable'
import { TTL_MS, type OpenCache } from '../opened.js'

/** As its README has it: `createKeyv` of cacheable in front of `createKeyv` of @keyv/redis. */
export const openCacheManager: OpenCache = ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const stores: KeyvLike[] = []
  if (memoryItems > 0) stores.push(createKeyv({ ttl: TTL_MS, lruSize: memoryItems }))
  if (redisUrl !== undefined) stores.push(createRedisKeyv(redisOptions(redisUrl, commandTimeoutMs)))
  for (const store of stores) store.on('error', () => {})
  const cache = createCache({ stores, ttl: TTL_MS })
  return Promise.resolve({
    get: (n) => cache.wrap(keys[n]!, () => load(keys[n]!)),
    close: async () => {
      await cache.disconnect()
    },
  })
}

/** `timeout` of a command, as node-redis names it. */
export function redisOptions(url: string, commandTimeoutMs: number | undefined): string | object {
  return commandTimeoutMs === undefined ? url : { url, commandOptions: { timeout: commandTimeoutMs } }
}
