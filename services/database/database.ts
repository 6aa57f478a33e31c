/**
 * One SQL statement. `text` uses `$1`-style parameters in PostgreSQL's dialect; `name` says what it does
 * (`designs.find`): it labels counts and logs.
 */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values?: readonly unknown[]
  /**
   * It is asked often, and one plan is good for it whatever its values are: a server may keep it parsed and planned, where no pooler stands
   * in between. What it returns is of types that it names itself: the server refuses a prepared statement whose columns have become others.
   */
  readonly isPrepared?: true
}

export interface Queryable {
  /**
   * Runs one statement and returns its rows.
   * @throws DatabaseUnavailableError when the server can't be reached or does not answer in time
   */
  query<Row extends object>(statement: Statement): Promise<Row[]>
}

/** A connection of its own, so that a busy pool can't hold it up. */
export interface Session extends Queryable {
  /** Resolves once the session has ended, with the reason unless {@link Session.close} ended it. */
  readonly closed: Promise<Error | undefined>
  close(): Promise<void>
}

/** What a new connection has to show before anything goes over it. */
export interface ConnectionCheck {
  /** One statement. */
  readonly text: string
  /** Why the connection is refused, after what the statement answered; `undefined`: it is not. */
  readonly refusal: (rows: readonly object[]) => string | undefined
}

/** How busy a pool of connections is. */
export interface PoolUse {
  readonly max: number
  readonly used: number
  readonly idle: number
  /** Who waits for one. */
  readonly waiting: number
  /** How many may be in use by requests now: fewer while the process is short of time. */
  readonly allowed: number
}

/** Runs statements, and several of them as one transaction. */
export interface Transactional extends Queryable {
  /**
   * Runs `work` in one READ COMMITTED transaction: commits when it resolves, rolls back when it throws.
   * When COMMIT itself fails with DatabaseUnavailableError the outcome is unknown.
   * Inside `work` ask the transaction only, one statement at a time: the embedded database has a single
   * connection, so a query past the transaction would wait for itself.
   */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>
}

/** How busy a database is. */
export interface DatabaseLoad {
  readonly inside: number
  readonly waiting: number
  readonly refused: number
  /** Whether what is asked for now is refused, whoever asks. */
  readonly isFull: boolean
}

/** The narrow seam to PostgreSQL: a server (`pg`) or the embedded one (PGlite). What waits for too long to begin is refused with DatabaseUnavailableError. */
export interface Database extends Transactional {
  readonly kind: 'postgres' | 'pglite'
  /** Now; `undefined` where there is no pool. */
  readonly poolUse?: PoolUse | undefined
  /**
   * The same, in the line of one user: who asks for much waits behind themselves.
   * @param since when the waiting began, in ms of the monotonic clock, where that was not here: all that is asked waits for as long in all
   */
  ofUser(userId: string, since?: number): Transactional
  /** {@link Database.ofUser} for a write, which may wait for longer. */
  writesOf(userId: string): Transactional
  /** For what coherence hangs on: waits for no request, and is refused for none. */
  readonly reserved: Queryable
  /** What is inside and waits, and what was refused since the start. */
  readonly load: DatabaseLoad
  /** Opens a session of its own and LISTENs on `channel`; `onNotification` gets each payload. */
  listen(channel: string, onNotification: (payload: string) => void): Promise<Session>
  /**
   * Opens a session that takes the same way to the server as queries do.
   * @param timeoutMs longest wait for the answer to one statement, in place of the database's own; the embedded one has no limit
   */
  connect(timeoutMs?: number): Promise<Session>
  /** Queries go over connections made from now on, each of which has passed `check`; what is under way is finished. */
  renewConnections(check: ConnectionCheck): void
  close(): Promise<void>
}
