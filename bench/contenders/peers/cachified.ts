import { cachified, totalTtl } from '@epic-web/cachified'
import { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { TTL_MS, type OpenCache } from '../opened.js'

interface Stored {
  readonly metadata: unknown
}

/** The adapters of its README: lru-cache as it is, and text in Redis. It has one tier: with a Redis URL it is Redis. */
export const openCachified: OpenCache = ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const client =
    redisUrl === undefined
      ? undefined
      : new Redis(redisUrl, commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
  client?.on('error', () => {})
  const cache = client === undefined ? lruAdapter(memoryItems) : redisAdapter(client)
  return Promise.resolve({
    get: (n) => cachified({ key: keys[n]!, cache, ttl: TTL_MS, getFreshValue: () => load(keys[n]!) }),
    close: async () => client?.disconnect(),
  })
}

function lruAdapter(max: number): object {
  const lru = new LRUCache<string, Stored>({ max })
  return {
    set: (key: string, value: Stored) => lru.set(key, value, { ttl: totalTtl(value.metadata) }),
    get: (key: string) => lru.get(key),
    delete: (key: string) => lru.delete(key),
  }
}

function redisAdapter(client: Redis): object {
  return {
    set: (key: string, value: Stored) => client.set(key, JSON.stringify(value), 'PX', totalTtl(value.metadata)),
    async get(key: string) {
      const text = await client.get(key)
      return text === null ? null : JSON.parse(text)
    },
    delete: (key: string) => client.del(key),
  }
}
