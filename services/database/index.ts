import type { MigratableDatabase } from './migratable.js'

export type { ConnectionCheck, Database, DatabaseLoad, PoolUse, Queryable, Session, Statement } from './database.js'
export { CanNotStartError, DatabaseUnavailableError, sqlState } from './errors.js'
export type { MigratableDatabase } from './migratable.js'
export { migrate } from './migrate.js'
export type { Table } from './table-indexes.js'
export { startDatabase } from './start.js'
export { LastingSession } from './lasting-session.js'
export { openJournal } from './journal.js'

export interface DatabaseOptions {
  /** A PostgreSQL server (14 or later); without one the embedded PGlite keeps its files in `dataDir`. */
  readonly url?: string | undefined
  /** The same server past a transaction pooler: for LISTEN and migrations. `url` by default. */
  readonly unpooledUrl?: string | undefined
  readonly dataDir: string
  /** Connections at most, besides one for each session. */
  readonly poolSize?: number | undefined
  /** Longest wait for the answer to one statement, in ms. */
  readonly queryTimeoutMs?: number | undefined
  /** Longest wait for a connection, new or from the pool, in ms. */
  readonly connectTimeoutMs?: number | undefined
  /** How many statements and transactions may wait for a connection, and how long, in ms. */
  readonly mostWaiting?: number | undefined
  readonly longestWaitMs?: number | undefined
  readonly longestWriteWaitMs?: number | undefined
  /** What part of the pool may be in use now. */
  readonly share?: (() => number) | undefined
  /** While it says so, nothing new is let in. */
  readonly isClosed?: (() => boolean) | undefined
  /** How long a server may be silent that is waited for, in ms. */
  readonly silenceMs?: number | undefined
  /** Told the name of each statement that is sent; what counts queries. */
  readonly onQuery?: ((statementName: string) => void) | undefined
}

/**
 * Opens the database that the options name. A server need not be up: the first query finds out. PGlite is made if
 * need be, which takes some seconds the first time.
 * @throws CanNotStartError when another process has `dataDir` open, or no database can be there
 */
export async function openDatabase(options: DatabaseOptions): Promise<MigratableDatabase> {
  const { url, dataDir, poolSize = 10, queryTimeoutMs = 5_000, connectTimeoutMs = 3_000, silenceMs = 700 } = options
  const onQuery = options.onQuery ?? (() => {})
  const { mostWaiting = 2_000, longestWaitMs = 700, longestWriteWaitMs = 10_000, share, isClosed } = options
  const line = { mostWaiting, longestWaitMs, longestWriteWaitMs, share, isClosed }
  // Each driver is loaded only when it is the one in use.
  if (url === undefined) {
    const { openPglite } = await import('./pglite/pglite.js')
    return openPglite({ dataDir, onQuery, line })
  }
  const { PostgresDatabase } = await import('./postgres/postgres.js')
  const unpooledUrl = options.unpooledUrl ?? url
  const limits = { queryTimeoutMs, connectTimeoutMs, silenceMs }
  return new PostgresDatabase({ url, unpooledUrl, poolSize, line, ...limits, onQuery })
}
