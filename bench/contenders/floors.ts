import { LRUCache } from 'lru-cache'
import { Redis } from 'ioredis'
import type { CacheOptions, OpenCache, Opened } from './opened.js'
import { TTL_MS } from './opened.js'

/** What any cache in memory stands on: a bounded map and nothing else, behind the promise that every peer answers with. */
export function openLruCache({ keys, memoryItems, load }: CacheOptions): Promise<Opened> {
  const cache = new LRUCache<string, object>({ max: memoryItems })
  return Promise.resolve({
    async get(n) {
      const key = keys[n]!
      const held = cache.get(key)
      if (held !== undefined) return held
      const loaded = await load(key)
      cache.set(key, loaded)
      return loaded
    },
    readNow: (order) => {
      let found = 0
      for (const n of order) if (cache.get(keys[n]!) !== undefined) found += 1
      return found
    },
    close: () => Promise.resolve(),
  })
}

/** The same with a key that is put together for each read, of what a request brings. */
export function openKeyedLruCache({ keys, memoryItems, load }: CacheOptions): Promise<Opened> {
  const cache = new LRUCache<string, object>({ max: memoryItems })
  return Promise.resolve({
    async get(n) {
      const key = `user-${n % 10}/designs/${keys[n]!}`
      const held = cache.get(key)
      if (held !== undefined) return held
      const loaded = await load(key)
      cache.set(key, loaded)
      return loaded
    },
    close: () => Promise.resolve(),
  })
}

export async function openMap({ keys, load }: CacheOptions): Promise<Opened> {
  const map = new Map<string, unknown>()
  for (const key of keys) map.set(key, await load(key))
  return {
    get: async (n) => map.get(keys[n]!),
    readNow: (order) => {
      let found = 0
      for (const n of order) if (map.get(keys[n]!) !== undefined) found += 1
      return found
    },
    close: () => Promise.resolve(),
  }
}

/** GET and JSON.parse; on a miss load and SET. No coalescing, no memory, no tags. */
export function openIoredis(enableAutoPipelining: boolean): OpenCache {
  return async ({ keys, redisUrl = '', load }) => {
    const client = new Redis(redisUrl, { enableAutoPipelining })
    return {
      async get(n) {
        const key = keys[n]!
        const held = await client.get(key)
        if (held !== null) return JSON.parse(held)
        const loaded = await load(key)
        await client.set(key, JSON.stringify(loaded), 'PX', TTL_MS)
        return loaded
      },
      close: async () => {
        client.disconnect()
      },
    }
  }
}
