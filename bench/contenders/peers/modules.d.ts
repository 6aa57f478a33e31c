/** What is used of the caches to compare with: the types of bench/ need none of them installed. */

declare module 'bentocache' {
  interface Store {
    useL1Layer(driver: object): Store
    useL2Layer(driver: object): Store
    useBus(driver: object): Store
  }
  export function bentostore(): Store
  export class BentoCache {
    constructor(options: { default: string; stores: Record<string, Store>; ttl?: number })
    getOrSet(options: { key: string; factory: () => Promise<unknown> }): Promise<unknown>
    disconnectAll(): Promise<void>
  }
}
declare module 'bentocache/drivers/memory' {
  export function memoryDriver(options: { maxItems: number; serialize?: boolean }): object
}
declare module 'bentocache/drivers/redis' {
  export function redisDriver(options: { connection: object }): object
  export function redisBusDriver(options: { connection: object }): object
}
declare module '@keyv/redis' {
  export function createKeyv(url: string | object): import('cacheable').KeyvLike
}
declare module 'cacheable' {
  export interface KeyvLike {
    disconnect(): Promise<void>
    on(event: 'error', listener: (error: unknown) => void): void
  }
  export function createKeyv(options: { ttl: number; lruSize: number }): KeyvLike
  export class Cacheable {
    constructor(options: { primary?: KeyvLike; secondary?: KeyvLike; ttl?: number; nonBlocking?: boolean })
    on(event: 'error', listener: (error: unknown) => void): void
    getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown>
    disconnect(): Promise<void>
  }
}
declare module 'cache-manager' {
  export function createCache(options: { stores: import('cacheable').KeyvLike[]; ttl: number }): {
    wrap(key: string, load: () => Promise<unknown>): Promise<unknown>
    disconnect(): Promise<unknown>
  }
}
declare module 'async-cache-dedupe' {
  type Fetch = (key: string) => Promise<unknown>
  export function createCache(options: { ttl: number; storage: object }): {
    define(name: 'fetch', options: { references?: () => string[] }, load: Fetch): void
    fetch: Fetch
  }
}
declare module 'layered-loader' {
  export const RedisCache: new (client: object, options: { json: boolean; ttlInMsecs: number }) => object
  export class Loader {
    constructor(options: {
      inMemoryCache?: { cacheType: string; ttlInMsecs: number; maxItems: number }
      asyncCache?: object
      dataSourceGetOneFn: (key: string) => Promise<unknown>
    })
    get(key: string): Promise<unknown>
    getInMemoryOnly(key: string): unknown
  }
}
declare module '@epic-web/cachified' {
  export function cachified(options: {
    key: string
    cache: object
    ttl: number
    getFreshValue: () => Promise<unknown>
  }): Promise<unknown>
  export function totalTtl(metadata: unknown): number
}
