/** The engine's door: everything outside this folder imports from here. It knows no domain, no Fastify, no environment. */
import { Engine, type EngineOptions } from './engine.js'
import { TieredCache } from './tiered-cache.js'

export { type Clock, systemClock } from './clock.js'
export { GZIP_SUFFIX } from './compressed-copy.js'
export {
  Document,
  type EntryAddress,
  type Loader,
  type Lookup,
  type Outcome,
  ownerOf,
  type RaisedTag,
} from './entry.js'
export type { EngineEvents, EngineOptions } from './engine.js'
export type { Inspection, TierInspection } from './inspect.js'
export type { JournalSession, JournalStore } from './journal-store.js'
export { longestLifetimeMs, type Policy } from './policy.js'
export type { ManyLoader } from './read-many.js'
export type { RedisClient } from './redis-client.js'
export type { CacheHealth, CacheStats } from './report.js'
export type { DomainStats } from './stats.js'
export { CLEAR_TAG } from './tags.js'
export type { TieredCache } from './tiered-cache.js'
export type { ReplicaState } from './tiers.js'
export { InvalidVersionTokenError } from './version-token.js'

/**
 * Opens the cache: follows the journal (a first tail is finished when this resolves) and takes up Redis in the
 * background, whether or not it answers yet. Rejects with what the journal throws when it can't be reached.
 */
export async function openTieredCache(options: EngineOptions): Promise<TieredCache> {
  const engine = new Engine(options, await options.journal.identity())
  try {
    await engine.start()
  } catch (error) {
    await engine.stop()
    throw error
  }
  return new TieredCache(engine)
}
