/** The engine's door: everything outside this folder imports from here. It knows no domain, no HTTP, no environment. */
import { type CacheOptions, Replica } from './replica.js'
import { TieredCache } from './tiered-cache.js'

export { Batcher } from './batcher.js'
export { type Clock, systemClock } from './clock.js'
export { bytesCodec, type Codec, jsonCodec } from './redis/entry-codec.js'
export type { EntryOptions, Loader, Lookup, Outcome, Policy } from './entry.js'
export { DURATION_BOUNDS, Durations } from './core/durations.js'
export { EVERYTHING } from './core/heard.js'
export type { Inspection } from './inspect.js'
export { JournalUnavailableError } from './journal/follower.js'
export type { Announcements, Change, Journal, SqlRunner, TailAnswer } from './journal/journal.js'
export { installJournal } from './journal/installation.js'
export { SERVER_SQL } from './journal/functions.js'
export { createJournal, type PostgresJournalOptions } from './journal/postgres-journal.js'
export type { Begun } from './fills.js'
export type { RedisClient } from './redis/redis.js'
export type { CacheEvents, ReplicaState, Trace } from './events.js'
export type { CacheOptions } from './replica.js'
export type { CacheSettings } from './settings.js'
export {
  type CacheHealth,
  type CacheStats,
  type ManyLoader,
  type ManyRead,
  type TieredCache,
  type WriteOptions,
  type WriteVersion,
} from './tiered-cache.js'
export { covers, parseSnapshot, sees, type Snapshot } from './core/snapshot.js'
export { type CachedTable, literal, missingTag, quoted } from './journal/table-triggers.js'
export type { MissedInvalidation, Verification } from './verifier.js'

/**
 * Opens a cache over a journal (`createJournal`): a first tail is finished when this resolves. Redis is taken up whether or
 * not it answers yet. Rejects with what the journal throws when it can't be reached.
 */
export async function openCache(options: CacheOptions): Promise<TieredCache> {
  const replica = new Replica(options)
  try {
    await replica.start()
  } catch (error) {
    await replica.stop()
    throw error
  }
  return new TieredCache(replica)
}
