/** What may run SQL: a pool or a connection of `pg` and PGlite fit as they are. */
export interface SqlRunner {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>
}

/** Changes of one transaction that a tail brought: its id (an xid8) and the tags it raised. */
export interface Change {
  readonly transaction: number
  readonly tags: readonly string[]
}

/** What one tail answers: one statement, so everything in it is of one moment. Snapshots are Postgres' own text. */
export interface TailAnswer {
  /** What this statement could see. */
  readonly snapshot: string
  /** Which server answered, from its start to its end; also while its journal can't be relied on. */
  readonly server?: string | undefined
  /** Which history of the database this is; `undefined` while it can't be relied on, and then `fault` says why. */
  readonly identity: string | undefined
  readonly fault: string | undefined
  /** The snapshot that `changes` follow: the one asked for, or another where this tail had to begin anew. */
  readonly from: string
  /** All that `snapshot` sees and `from` does not, in no order; `undefined`: too many to be read. */
  readonly changes: readonly Change[] | undefined
}

/** The connection that announcements take. Whatever comes in by it is a hint, never a proof. */
export interface Announcements {
  announce(payload: string): Promise<void>
  /** Resolves once the connection has ended. */
  readonly closed: Promise<unknown>
  close(): Promise<void>
}

/** The journal as the engine sees it. */
export interface Journal {
  /**
   * Reads what changed since the snapshot `since`, if that is of `identity` and still answerable; else begins anew at
   * the earliest place it can. Rejects when the database does not answer within H.
   */
  tail(since: string | undefined, identity: string | undefined): Promise<TailAnswer>
  /** Writes a journal row of these tags in a transaction of its own; resolves with its id once it is committed. */
  touch(tags: readonly string[]): Promise<number>
  /** Records where a starting replica may begin, unless the last record is younger than `everyMs` or nothing changed since. */
  mark(everyMs: number): Promise<void>
  /** Deletes what is older than `ms`, in batches; resolves with how many rows it looked at. */
  prune(ms: number): Promise<number>
  /** Absent where no other replica can share the database. */
  listen?(onPayload: (payload: string) => void): Promise<Announcements>
  /** Ends what was opened for the journal alone. */
  close?(): Promise<void>
}
