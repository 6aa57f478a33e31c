import pg from 'pg'
import { CanNotStartError, DatabaseUnavailableError, sqlState, unavailable } from '../errors.js'
import { PreparedNames } from './prepared-names.js'
import {
  type GivenSession,
  isFineAsGiven,
  type Limits,
  look,
  sessionText,
  STARTUP_OPTIONS,
  transactionText,
} from '../session-settings.js'

export interface ConnectorOptions {
  readonly url: string
  readonly connectTimeoutMs: number
  /** The schema that the first connection of this process found; every later one is led there. */
  readonly home: { schema: string | undefined }
}

/** How statements go over a session. */
export interface Settled {
  /** What each must begin its transaction with, because the pooler's sessions lack some settings; usually ''. */
  readonly beginning: string
  /** Where no pooler stands in between. */
  readonly prepared?: PreparedNames
}

/** Protocol violation, not supported, no such parameter: of a pooler that takes no options at the start, or of an old server. */
const STARTUP_REFUSED = ['08P01', '0A000', '42704']

const STATEMENT_TIMEOUT = '57014'

const NO_SCHEMA =
  'The search_path in DATABASE_URL names a schema that is not there, or that this role may not use: create it, grant usage on it, or take ' +
  'it out of the address'
const NO_SCHEMA_OF_ROLE =
  'The search_path that the role of DATABASE_URL has names a schema that is not there, or that it may not use: create it, grant usage on it, or ' +
  'take the setting back by: alter role <the role> reset search_path'
const STANDBY = 'it is a standby, which takes no writes: let DATABASE_URL lead to the primary'

/** Makes connections to one address, and sees to it that nobody else's settings hold there. */
export class PostgresConnector {
  readonly #options: ConnectorOptions
  readonly #prepared = new PreparedNames()
  #isStartupRefused = false
  /** What a pool makes its connections with. */
  readonly Client: new (config?: pg.ClientConfig) => pg.Client

  constructor(options: ConnectorOptions) {
    this.#options = options
    const startup = (): pg.ClientConfig => (this.#isStartupRefused ? {} : { options: STARTUP_OPTIONS })
    this.Client = class extends pg.Client {
      constructor(config: pg.ClientConfig = {}) {
        super({ ...config, ...startup() })
      }
    }
  }

  config(): pg.ClientConfig {
    const { url, connectTimeoutMs } = this.#options
    return {
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      fallback_application_name: 'roundhouse',
    }
  }

  /** @throws DatabaseUnavailableError */
  connect(queryTimeoutMs?: number): Promise<pg.Client> {
    return this.open(async () => {
      const limit = queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }
      const client = new this.Client({ ...this.config(), ...limit })
      // Whoever waits for the connection hears of it, and an unheard `error` event ends the process.
      client.on('error', () => {})
      await client.connect()
      return client
    })
  }

  /**
   * Runs `connect`, and once more where parameters of sessions are refused: then without.
   * @throws DatabaseUnavailableError
   */
  async open<T>(connect: () => Promise<T>): Promise<T> {
    try {
      return await connect()
    } catch (error) {
      if (this.#isStartupRefused || !STARTUP_REFUSED.includes(sqlState(error) ?? '')) throw unavailable(error)
      this.#isStartupRefused = true
      return await connect().catch((again: unknown) => {
        throw unavailable(again)
      })
    }
  }

  /**
   * Gives a new session its settings. Behind a pooler they would be given to whatever stands behind it at this moment.
   */
  async settle(client: pg.ClientBase, limits: Limits): Promise<Settled> {
    const given = await this.#look(client)
    const schema = this.#schemaOf(given)
    const isPooled = !('processID' in client) || client.processID !== given.pid
    if (isPooled)
      return { beginning: isFineAsGiven(given, schema, limits) ? '' : transactionText(given, schema, limits) }
    await client.query(this.#timed(sessionText(given, schema, limits)))
    return { beginning: '', prepared: this.#prepared }
  }

  /**
   * What begins one transaction that writes, under all settings, on whatever session.
   * @throws DatabaseUnavailableError on a standby: it may be promoted in a moment
   */
  async beginning(client: pg.ClientBase, limits: Limits): Promise<string> {
    const given = await this.#look(client)
    if (given.is_standby) throw new DatabaseUnavailableError(STANDBY)
    return transactionText(given, this.#schemaOf(given), limits)
  }

  /** Behind a pooler even this statement may be past a limit that somebody gave: then under a limit of its own. */
  async #look(client: pg.ClientBase): Promise<GivenSession> {
    const lookOnce = (): Promise<GivenSession> =>
      look(async (text, values) => (await client.query<object>({ ...this.#timed(text), values: [...values] })).rows)
    try {
      return await lookOnce()
    } catch (error) {
      if (sqlState(error) !== STATEMENT_TIMEOUT) throw error
    }
    await client.query(
      this.#timed('begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0'),
    )
    const given = await lookOnce()
    await client.query(this.#timed('commit'))
    return { ...given, found: { ...given.found, statement_timeout: '1' } }
  }

  #schemaOf(given: GivenSession): string {
    const { home } = this.#options
    if (home.schema === undefined && given.schema === null)
      throw new CanNotStartError(given.path_source === 'user' ? NO_SCHEMA_OF_ROLE : NO_SCHEMA)
    return (home.schema ??= given.schema ?? 'public')
  }

  /** `pg` reads the limit of a query; its types do not know it. */
  #timed(text: string): pg.QueryConfig & { readonly query_timeout: number } {
    return { text, query_timeout: this.#options.connectTimeoutMs }
  }
}
