/**
 * One SQL statement. `text` uses `$1`-style parameters in PostgreSQL's dialect; `name` says what it does
 * (`designs.find`): it labels counts and logs and is not a server-side prepared statement, so that a
 * transaction-pooling proxy may stand in between.
 */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values?: readonly unknown[]
  /** How long the answer may take, in ms, in place of the database's own limit. The embedded database has no limit. */
  readonly timeoutMs?: number
}

export interface Queryable {
  /**
   * Runs one statement and returns its rows.
   * @throws DatabaseUnavailableError when the server can't be reached or does not answer in time
   */
  query<Row extends object>(statement: Statement): Promise<Row[]>
}

/** A session that listens: its connection is its own, so that a busy pool can't hold it up. */
export interface ListenSession extends Queryable {
  /** Resolves once the session has ended, with the reason unless {@link ListenSession.close} ended it. */
  readonly closed: Promise<Error | undefined>
  close(): Promise<void>
}

/** The narrow seam to PostgreSQL: a server (`pg`) or the embedded one (PGlite). */
export interface Database extends Queryable {
  readonly kind: 'postgres' | 'pglite'
  /**
   * Runs `work` in one READ COMMITTED transaction: commits when it resolves, rolls back when it throws.
   * When COMMIT itself fails with DatabaseUnavailableError the outcome is unknown.
   * Inside `work` ask the transaction only, one statement at a time: the embedded database has a single
   * connection, so a query past the transaction would wait for itself.
   */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>
  /** Opens a session of its own and LISTENs on `channel`; `onNotification` gets each payload. */
  listen(channel: string, onNotification: (payload: string) => void): Promise<ListenSession>
  close(): Promise<void>
}
