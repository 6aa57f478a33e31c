import pg from 'pg'
import { systemClock } from '../../cache/index.js'
import { Admission, type AdmissionOptions, type Entrant } from '../admission.js'
import type {
  ConnectionCheck,
  DatabaseLoad,
  PoolUse,
  Queryable,
  Session,
  Statement,
  Transactional,
} from '../database.js'
import { DatabaseUnavailableError, unavailable } from '../errors.js'
import type { MigratableDatabase, ScriptRunner } from '../migratable.js'
import { OpenTransaction, PostgresConnection } from './connection.js'
import { PostgresConnector, type Settled } from './connector.js'
import { runExclusively } from './migrator.js'
import { PostgresSession, type SessionOptions } from './session.js'
import type { Limits } from '../session-settings.js'
import { Silence } from './silence.js'

export interface PostgresOptions {
  readonly url: string
  /** The same database past a transaction pooler, which can't LISTEN. */
  readonly unpooledUrl: string
  readonly poolSize: number
  /** Of what waits for a connection. */
  readonly line: Omit<AdmissionOptions, 'most'>
  readonly queryTimeoutMs: number
  readonly connectTimeoutMs: number
  /** How long the server may be silent, in ms; then nobody waits for it. */
  readonly silenceMs: number
  readonly onQuery: (statementName: string) => void
}

/** What a connection of the pool is known to be. */
interface Checked {
  /** Which check it has passed. */
  readonly check: ConnectionCheck | undefined
  readonly settled: Settled
  /** When it last began to plan its statements anew, in ms of the monotonic clock. */
  plannedAt: number
}

/** A plan of a prepared statement is for the tables as they were: what was empty then is read as a whole. */
const PLANS_LAST_MS = 10_000

/** Requests never hold this connection: it is for the marks and the clears of the journal. */
const RESERVED: AdmissionOptions = { most: 1, mostWaiting: 1_000, longestWaitMs: 5_000, longestWriteWaitMs: 5_000 }

/** Longer than answers wait to be read where the event loop is late, and shorter than a load may wait. */
const WAITS_AFTER_MS = 400

function ignore(): void {}

/** A server, by `pg`. Opens no connection before the first query. */
export class PostgresDatabase implements MigratableDatabase {
  readonly kind = 'postgres'
  readonly reserved: Queryable
  readonly #options: PostgresOptions
  readonly #pool: pg.Pool
  readonly #admission: Admission
  readonly #silence: Silence
  readonly #connector: PostgresConnector
  readonly #unpooled: PostgresConnector
  readonly #sessions = new Set<PostgresSession>()
  readonly #checked = new WeakMap<pg.PoolClient, Checked>()
  #check: ConnectionCheck | undefined
  readonly #limits: Limits
  readonly #begin: string
  #closing: Promise<void> | undefined

  constructor(options: PostgresOptions) {
    this.#options = options
    const { url, unpooledUrl, connectTimeoutMs, queryTimeoutMs } = options
    const home = { schema: undefined }
    this.#connector = new PostgresConnector({ url, connectTimeoutMs, home })
    this.#unpooled =
      unpooledUrl === url ? this.#connector : new PostgresConnector({ url: unpooledUrl, connectTimeoutMs, home })
    // The server gives up too, and frees the locks of a transaction whose client is frozen or cut off.
    this.#limits = limitsOf(queryTimeoutMs)
    this.#begin =
      `begin isolation level read committed read write; set local statement_timeout = ${this.#limits.statementMs}; ` +
      `set local idle_in_transaction_session_timeout = ${queryTimeoutMs}`
    this.#pool = new pg.Pool({
      ...this.#connector.config(),
      Client: this.#connector.Client,
      max: options.poolSize + RESERVED.most,
      idleTimeoutMillis: 30_000,
      query_timeout: queryTimeoutMs,
    })
    this.#admission = new Admission({ ...options.line, most: options.poolSize, waitsAfterMs: WAITS_AFTER_MS })
    const reserved = new Admission(RESERVED)
    this.reserved = { query: (statement) => this.#query(reserved, statement) }
    this.#silence = new Silence({ afterMs: options.silenceMs, probe: () => this.#probe() })
    // The pool has dropped the dead client already, and the next query opens another.
    this.#pool.on('error', () => {})
    // A checked-out client has no listener of the pool's, and an unheard `error` event ends the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  get poolUse(): PoolUse {
    const { totalCount, idleCount: idle } = this.#pool
    const { waiting } = this.#admission.counts
    return { max: this.#options.poolSize, used: totalCount - idle, idle, waiting, allowed: this.#admission.most }
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    return this.#query(this.#admission, statement)
  }

  async transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T> {
    return this.#transaction(work)
  }

  ofUser(user: string, since?: number): Transactional {
    return this.#inLine({ user, since })
  }

  writesOf(user: string): Transactional {
    return this.#inLine({ user, isWrite: true })
  }

  #inLine(entrant: Entrant): Transactional {
    return {
      query: (statement) => this.#query(this.#admission, statement, entrant),
      transaction: (work) => this.#transaction(work, entrant),
    }
  }

  get load(): DatabaseLoad {
    return { ...this.#admission.counts, isFull: this.#admission.isFull }
  }

  #query<Row extends object>(admission: Admission, statement: Statement, entrant?: Entrant): Promise<Row[]> {
    return admission.run(() => this.#withConnection((connection) => connection.query<Row>(statement)), entrant)
  }

  #transaction<T>(work: (transaction: Queryable) => Promise<T>, entrant: Entrant = { isWrite: true }): Promise<T> {
    const run = (connection: PostgresConnection): Promise<T> =>
      connection.transaction(this.#begin, async () => {
        const transaction = new OpenTransaction(connection)
        return work(transaction).finally(() => transaction.end())
      })
    return this.#admission.run(() => this.#withConnection(run), entrant)
  }

  listen(channel: string, onNotification: (payload: string) => void): Promise<Session> {
    return this.#session(this.#unpooled, { channel, onNotification })
  }

  connect(timeoutMs = this.#options.queryTimeoutMs): Promise<Session> {
    return this.#session(this.#connector, { timeoutMs, isGivenUp: true })
  }

  renewConnections(check: ConnectionCheck): void {
    this.#check = check
  }

  async #session(connector: PostgresConnector, options: Partial<SessionOptions>): Promise<Session> {
    const { timeoutMs = this.#options.queryTimeoutMs } = options
    const { onQuery } = this.#options
    const session = await PostgresSession.open({
      connector,
      limits: limitsOf(timeoutMs),
      channel: undefined,
      onNotification: () => {},
      onQuery,
      silence: this.#silence,
      isGivenUp: false,
      ...options,
      timeoutMs,
    })
    this.#sessions.add(session)
    void session.closed.then(() => this.#sessions.delete(session))
    return session
  }

  exclusively<T>(work: (runner: ScriptRunner) => Promise<T>, onWait: (holder: string) => void = () => {}): Promise<T> {
    return runExclusively({ connector: this.#unpooled, onQuery: this.#options.onQuery, onWait }, work)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#silence.end()
    await Promise.all([this.#pool.end(), ...[...this.#sessions].map((session) => session.close())])
  }

  /** A connection that passes today's check. One that passed an older check only may lead to another server: it is closed. */
  async #checkedClient(): Promise<{ readonly client: pg.PoolClient; readonly checked: Checked }> {
    for (;;) {
      const client = await this.#connectedClient()
      const check = this.#check
      const passed = this.#checked.get(client)
      if (passed !== undefined && passed.check === check) return { client, checked: passed }
      if (passed !== undefined) {
        client.release(true)
        continue
      }
      try {
        const settle = async (): Promise<{ settled: Settled; reason: string | undefined }> => {
          const settled = await this.#connector.settle(client, this.#limits)
          return { settled, reason: check && (await refusalOf(client, settled.beginning, check)) }
        }
        const { settled, reason } = await this.#silence.during(settle, () => {
          client.connection.stream.destroy()
        })
        if (reason !== undefined) throw new DatabaseUnavailableError(reason)
        const checked = { check, settled, plannedAt: systemClock.now() }
        this.#checked.set(client, checked)
        return { client, checked }
      } catch (error) {
        client.release(true)
        throw unavailable(error)
      }
    }
  }

  /** One that comes when nobody waits for it any more goes to the pool. */
  async #connectedClient(): Promise<pg.PoolClient> {
    let isGivenUp = false
    const open = (): Promise<pg.PoolClient> => {
      const opening = this.#connector.open(() => this.#pool.connect())
      opening.then((client) => void (isGivenUp && client.release()), ignore)
      return opening
    }
    return this.#silence.during(open, () => (isGivenUp = true))
  }

  /** Any answer will do, also from a server that has no room for one more. */
  async #probe(): Promise<void> {
    const session = await this.#session(this.#connector, {})
    await session.close()
  }

  async #withConnection<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const { client, checked } = await this.#checkedClient()
    const { onQuery } = this.#options
    const connection = new PostgresConnection(client, {
      ...checked.settled,
      onQuery,
      silence: this.#silence,
      isGivenUp: true,
    })
    try {
      await forgetOldPlans(connection, checked)
      return await work(connection)
    } finally {
      client.release(!connection.isUsable)
    }
  }
}

async function forgetOldPlans(connection: PostgresConnection, checked: Checked): Promise<void> {
  if (checked.settled.prepared === undefined || systemClock.now() - checked.plannedAt < PLANS_LAST_MS) return
  await connection.script('discard plans')
  checked.plannedAt = systemClock.now()
}

/** The server gives up a little earlier than the client, so that the connection stays good. */
function limitsOf(timeoutMs: number): Limits {
  return { statementMs: Math.ceil(timeoutMs * 0.9), idleMs: timeoutMs }
}

async function refusalOf(
  client: pg.PoolClient,
  beginning: string,
  { text, refusal }: ConnectionCheck,
): Promise<string | undefined> {
  try {
    const connection = new PostgresConnection(client, { onQuery: () => {}, beginning })
    return refusal(await connection.query<object>({ name: 'database.check', text }))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
