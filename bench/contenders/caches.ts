import { openIoredis, openKeyedLruCache, openLruCache, openMap } from './floors.js'
import { OURS } from './names.js'
import type { OpenCache } from './opened.js'
import { openRoundhouse } from './roundhouse.js'

/** Each is imported only where it takes part: the others need not be installed. */
const CACHES: Readonly<Record<string, () => Promise<OpenCache>>> = {
  [OURS]: () => Promise.resolve(openRoundhouse),
  'lru-cache': () => Promise.resolve(openLruCache),
  'lru-cache, key made per call': () => Promise.resolve(openKeyedLruCache),
  Map: () => Promise.resolve(openMap),
  ioredis: () => Promise.resolve(openIoredis(false)),
  'ioredis, auto-pipelined': () => Promise.resolve(openIoredis(true)),
  'layered-loader': async () => (await import('./peers/layered-loader.js')).openLayeredLoader,
  'async-cache-dedupe': async () => (await import('./peers/async-cache-dedupe.js')).openAsyncCacheDedupe,
  bentocache: async () => (await import('./peers/bentocache.js')).openBentocache,
  cacheable: async () => (await import('./peers/cacheable.js')).openCacheable,
  'cache-manager': async () => (await import('./peers/cache-manager.js')).openCacheManager,
  cachified: async () => (await import('./peers/cachified.js')).openCachified,
}

export const CACHE_NAMES = Object.keys(CACHES)

export async function openerOf(name: string): Promise<OpenCache> {
  const opener = CACHES[name]
  if (opener === undefined) throw new Error(`There is no cache ${name}`)
  return opener()
}
