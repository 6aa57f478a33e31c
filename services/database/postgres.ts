import pg from 'pg'
import type { ConnectionCheck, Queryable, Session, Statement } from './database.js'
import { DatabaseUnavailableError, unavailable } from './errors.js'
import type { MigratableDatabase, ScriptRunner } from './migratable.js'
import { OpenTransaction, PostgresConnection } from './postgres-connection.js'
import { PostgresSession } from './postgres-session.js'

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
  readonly #sessions = new Set<PostgresSession>()
  /** Which check each connection of the pool has passed. */
  readonly #checked = new WeakMap<pg.PoolClient, ConnectionCheck | undefined>()
  #check: ConnectionCheck | undefined
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

  listen(channel: string, onNotification: (payload: string) => void): Promise<Session> {
    return this.#session(this.#options.unpooledUrl, channel, onNotification)
  }

  connect(): Promise<Session> {
    return this.#session(this.#options.url, undefined, () => {})
  }

  renewConnections(check: ConnectionCheck): void {
    this.#check = check
  }

  async #session(
    url: string,
    channel: string | undefined,
    onNotification: (payload: string) => void,
  ): Promise<Session> {
    const { queryTimeoutMs, onQuery } = this.#options
    const session = await PostgresSession.open({
      config: { ...connectionConfig(url, this.#options), query_timeout: queryTimeoutMs },
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

  /** A connection that passes today's check. One that passed an older check only may lead to another server: it is closed. */
  async #checkedClient(): Promise<pg.PoolClient> {
    for (;;) {
      const client = await this.#pool.connect().catch((error: unknown) => {
        throw unavailable(error)
      })
      const check = this.#check
      const isNew = !this.#checked.has(client)
      if (!isNew && this.#checked.get(client) === check) return client
      if (!isNew) {
        client.release(true)
        continue
      }
      const reason = check && (await refusalOf(client, check))
      if (reason === undefined) {
        this.#checked.set(client, check)
        return client
      }
      client.release(true)
      throw new DatabaseUnavailableError(reason)
    }
  }

  async #withConnection<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const client = await this.#checkedClient()
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

async function refusalOf(client: pg.PoolClient, { text, refusal }: ConnectionCheck): Promise<string | undefined> {
  try {
    return refusal((await client.query<object>(text)).rows)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
