import type { Change } from './journal/journal.js'
import type { MissedInvalidation } from './verifier.js'

/** The replica's states of docs/cache.md. */
export type ReplicaState = 'coherent' | 'memory-only' | 'isolated' | 'disabled'

/** What the engine tells its operator. */
export interface CacheEvents {
  /** The replica's state changed; `reason` in words. Once per change. */
  onState(change: { readonly from: ReplicaState | undefined; readonly to: ReplicaState; readonly reason: string }): void
  /** Redis does not answer, with its own words or the client's. Once until it does again. */
  onRedisLost(reason: string): void
  onRedisBack(): void
  /** Redis answers and refuses reads or writes, with its own words; once for each reason. `undefined`: it has not for a while. */
  onRedisRefusal(kind: 'reads' | 'writes', words: string | undefined): void
  /** An entry is too large for Redis: memory alone keeps it. */
  onOversizedEntry(key: string, bytes: number): void
  /** Redis held under the name of an entry what no replica has stored there. It is loaded anew and overwritten. */
  onInvalidEntry(key: string): void
  /** Memory is full and lets an entry go. `isByItems`: the number of entries was the bound that was reached. */
  onCapacity(full: { readonly isByItems: boolean; readonly bytes: number; readonly maxBytes: number }): void
  /** The database has another history than before, or this is the first tail. Connections of before may lead elsewhere. */
  onIdentity(identity: string, isFirst: boolean): void
  /** What these tags name has changed, or may have, whoever changed it: told within H, and often more than once. `*` is anything. */
  onTags(tags: readonly string[]): void
  /** An answer was not what the database has, and no change of it was heard of. */
  onMissedInvalidation(missed: MissedInvalidation): void
  /** A reading of the journal brought these, in no order. */
  onChanges(changes: readonly Change[]): void
  /** Something failed that no reader is told of: a refresh, an announcement, listening for them (once for each reason, until it works), a mark, a prune. */
  onError(error: unknown, during: string): void
}

/** A part of a read that takes time: asking Redis, or a load. */
export type Step = 'redis' | 'load'

/** Runs `work` as a step that the host watches, in its own way. What `work` answers or throws comes out as it is. */
export type Trace = <Result>(step: Step, domain: string | undefined, work: () => Promise<Result>) => Promise<Result>
