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
  /**
   * Everything under the one tag is out of date once this resolves; for caches that know tags. May tell in ms how much of
   * it was the commit of a journal.
   */
  invalidateAll?(): Promise<{ readonly commit: number } | void>
  close(): Promise<void>
}

export interface CacheOptions {
  readonly keys: readonly string[]
  /** Items of the memory tier; 0: none, where the cache can do without. */
  readonly memoryItems: number
  /** `undefined`: no Redis tier. */
  readonly redisUrl: string | undefined
  readonly load: (key: string) => Promise<Item>
  /** Put every entry under one tag. */
  readonly isTagged?: boolean
  /** Processes with the same one share what is in Redis, as replicas do; each has its own otherwise. */
  readonly sharedId?: string
  /** A journal in PostgreSQL in place of one in this process. */
  readonly databaseUrl?: string
  /** Give up on a Redis command after so many ms, where the client can; its own default otherwise. */
  readonly commandTimeoutMs?: number
}

export type OpenCache = (options: CacheOptions) => Promise<Opened>

/** Lifetime of every entry in ms: none ends during a run. */
export const TTL_MS = 600_000

/** Memory and Redis with a tag where the options say so; the name of the one tag. */
export const TAG = 'everything'
