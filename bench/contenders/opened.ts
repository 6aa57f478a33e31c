import type { Item } from './items.js'

/** A cache that is compared, over the keys it was opened with. */
export interface Opened {
  /** The value of key number `n`, loaded when no tier has it. */
  get(n: number): Promise<unknown>
  /**
   * Reads these keys one after the other without a promise, for caches that offer it, and returns how many it found. The
   * loop is the cache's own, so that nothing but the read is in it.
   */
  readNow?(order: Uint32Array): number
  /** Hits so far, by tier, for a cache that counts them: a turn of hits must consist of hits. */
  hits?(): { readonly memory: number; readonly redis: number }
  /** Resolves once the cache works as it should: after a pause on a busy machine it may have to catch up first. */
  settled?(): Promise<void>
  close(): Promise<void>
}

export interface CacheOptions {
  readonly keys: readonly string[]
  /** Items of the memory tier; 0: none, where the cache can do without. */
  readonly memoryItems: number
  /** `undefined`: no Redis tier. */
  readonly redisUrl: string | undefined
  readonly load: (key: string) => Promise<Item>
  /** Processes with the same one share what is in Redis, as replicas do; each has its own otherwise. */
  readonly sharedId?: string
  /** Give up on a Redis command after so many ms, where the client can; its own default otherwise. */
  readonly commandTimeoutMs?: number
}

export type OpenCache = (options: CacheOptions) => Promise<Opened>

/** Lifetime of every entry in ms: none ends during a run. */
export const TTL_MS = 600_000
