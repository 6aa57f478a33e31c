import type { RaisedTag } from './entry.js'

/** One connection to the journal: it hears notifications and runs the tail. */
export interface JournalSession {
  /**
   * Everything raised since the snapshot that `cursor` names, and possibly rows seen before; `undefined` only fetches a cursor.
   * One statement, one snapshot: a row missing from the answer was not committed when the tail began.
   */
  tail(cursor: string | undefined): Promise<{ readonly cursor: string; readonly raised: readonly RaisedTag[] }>
  /** Resolves once the session has ended, with the reason unless it was closed from here. */
  readonly closed: Promise<Error | undefined>
  close(): Promise<void>
}

/** The invalidation journal as the engine sees it. */
export interface JournalStore {
  /** Names the journal and holds the secret that signs version tokens; both are the same on every replica. */
  identity(): Promise<{ readonly id: string; readonly secret: string }>
  /**
   * Gives the journal a new id if it still has `id`: after a journal that went back in time, nothing that was cached
   * over it may be read again.
   */
  renewIdentity(id: string): Promise<void>
  /** The version of one tag now, 0 when it was never raised or was pruned. The tag `*` is never pruned. */
  versionOf(tag: string): Promise<number>
  /** Raises `tags` in a transaction of its own. */
  raise(tags: readonly string[]): Promise<RaisedTag[]>
  /**
   * Opens the one connection a replica follows the journal with. `onRaised` gets the rows of each notification,
   * or an empty list when the payload was too long to carry them: tail at once.
   */
  open(onRaised: (raised: readonly RaisedTag[]) => void): Promise<JournalSession>
  /** Rows changed within the last `ms`, a page in tag order after the tag `after`; a page shorter than `limit` is the last. */
  changedWithin(ms: number, after: string | undefined, limit: number): Promise<readonly RaisedTag[]>
  /** How many rows {@link JournalStore.changedWithin} would give in all. */
  countChangedWithin(ms: number): Promise<number>
  /** Deletes rows not changed for `ms`; returns how many. Safe once `ms` is at least twice the longest entry lifetime. */
  prune(ms: number): Promise<number>
}
