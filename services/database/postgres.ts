import pg from 'pg'
import type { ListenSession, Queryable, Statement } from './database.js'
import { unavailable } from './errors.js'
import type { MigratableDatabase, ScriptRunner } from './migratable.js'
import { OpenTransaction, PostgresConnection } from './postgres-connection.js'
import { PostgresListenSession } from './postgres-listen-session.js'

export interface PostgresOptions {
  readonly url: string
  /** The same database past a transaction pooler, which can't LISTEN. */
  readonly unpooledUrl: string
  readonly poolSize: number
  readonly queryTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly onQuery: (statementName: string) => void
}

/** Held while migrating. Any number will do, as long as every release uses the same. */
const MIGRATION_LOCK = 4_917_305_581

/** A server, by `pg`. Opens no connection before the first query. */
export class PostgresDatabase implements MigratableDatabase {
  readonly kind = 'postgres'
  readonly #options: PostgresOptions
  readonly #pool: pg.Pool
  readonly #sessions = new Set<PostgresListenSession>()
  readonly #begin: string
  #closing: Promise<void> | undefined

  constructor(options: PostgresOptions) {
    this.#options = options
    const { queryTimeoutMs } = options
    // The server gives up too, and frees the locks of a transaction whose client is frozen or cut off.
    this.#begin =
      `begin isolation level read committed; set local statement_timeout = ${queryTimeoutMs}; ` +
      `set local idle_in_transaction_session_timeout = ${queryTimeoutMs}`
    this.#pool = new pg.Pool({
      ...connectionConfig(options.url, options),
      max: options.poolSize,
      idleTimeoutMillis: 30_000,
      query_timeout: queryTimeoutMs,
    })
    // The pool has dropped the dead client already, and the next query opens another.
    this.#pool.on('error', () => {})
    // A checked-out client has no listener of the pool's, and an unheard `error` event ends the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    return this.#withConnection((connection) => connection.query<Row>(statement))
  }

  async transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T> {
    return this.#withConnection((connection) =>
      connection.transaction(this.#begin, async () => {
        const transaction = new OpenTransaction(connection)
        return work(transaction).finally(() => transaction.end())
      }),
    )
  }

  async listen(channel: string, onNotification: (payload: string) => void): Promise<ListenSession> {
    const { unpooledUrl, queryTimeoutMs, onQuery } = this.#options
    const session = await PostgresListenSession.open({
      config: { ...connectionConfig(unpooledUrl, this.#options), query_timeout: queryTimeoutMs },
      channel,
      onNotification,
      onQuery,
    })
    this.#sessions.add(session)
    void session.closed.then(() => this.#sessions.delete(session))
    return session
  }

  async exclusively<T>(work: (runner: ScriptRunner) => Promise<T>): Promise<T> {
    const client = new pg.Client(connectionConfig(this.#options.unpooledUrl, this.#options))
    client.on('error', () => {})
    await client.connect().catch((error: unknown) => {
      throw unavailable(error)
    })
    const connection = new PostgresConnection(client, this.#options.onQuery)
    const runner: ScriptRunner = {
      query: async (text) => (await connection.script(text)).rows,
      script: async (text) => void (await connection.script(text)),
    }
    try {
      const begin = `begin; select pg_advisory_xact_lock(${MIGRATION_LOCK})`
      return await connection.transaction(begin, () => work(runner))
    } finally {
      await client.end()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([this.#pool.end(), ...[...this.#sessions].map((session) => session.close())])
  }

  async #withConnection<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw unavailable(error)
    })
    const connection = new PostgresConnection(client, this.#options.onQuery)
    try {
      return await work(connection)
    } finally {
      client.release(!connection.isUsable)
    }
  }
}

function connectionConfig(url: string, options: PostgresOptions): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    fallback_application_name: 'roundhouse',
  }
}
