import { createKeyv as createRedisKeyv } from '@keyv/redis'
import { Cacheable, createKeyv } from 'cacheable'
import { TTL_MS, type OpenCache } from '../opened.js'
import { redisOptions } from './cache-manager.js'

/** As its README has it: an LRU as primary, @keyv/redis as secondary store. */
export const openCacheable: OpenCache = ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const memory = memoryItems > 0 ? createKeyv({ ttl: TTL_MS, lruSize: memoryItems }) : undefined
  const redis = redisUrl === undefined ? undefined : createRedisKeyv(redisOptions(redisUrl, commandTimeoutMs))
  const primary = memory ?? redis
  const secondary = memory === undefined ? undefined : redis
  const cache = new Cacheable({
    ...(primary && { primary }),
    ...(secondary && { secondary }),
    ttl: TTL_MS,
  })
  cache.on('error', () => {})
  return Promise.resolve({
    get: (n) => cache.getOrSet(keys[n]!, () => load(keys[n]!)),
    close: () => cache.disconnect(),
  })
}
