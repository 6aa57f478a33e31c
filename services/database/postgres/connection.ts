import type pg from 'pg'
import type { Queryable, Statement } from '../database.js'
import { leavesConnectionUsable, sqlState, toSeamError, unavailable } from '../errors.js'
import type { PreparedNames } from './prepared-names.js'
import type { Silence } from './silence.js'

/**
 * What is prepared can't be had: a column that it returns has become another one ("cached plan must not change result type", 0A000), or it is not there,
 * or is there already (26000, 42P05), behind a pooler that can't be told from a server.
 */
const NOT_AS_PREPARED = ['0A000', '26000', '42P05']

export interface ConnectionOptions {
  readonly onQuery: (statementName: string) => void
  /** Begins the transaction in which each statement then is, where one alone would lack settings; else '' */
  readonly beginning?: string
  /** Where the connection leads to one process of the server. */
  readonly prepared?: PreparedNames | undefined
  /** Hears of each answer. */
  readonly silence?: Silence
  /** Whether an answer is waited for only while the server is not silent. */
  readonly isGivenUp?: boolean
}

/** One connection of `pg` in use, which remembers whether it may be used again. */
export class PostgresConnection implements Queryable {
  readonly #client: pg.Client | pg.PoolClient
  readonly #onQuery: (statementName: string) => void
  readonly #beginning: string
  readonly #prepared: PreparedNames | undefined
  readonly #silence: Silence | undefined
  readonly #isGivenUp: boolean
  #isUsable = true
  #isInTransaction = false

  constructor(client: pg.Client | pg.PoolClient, options: ConnectionOptions) {
    const { onQuery, beginning = '', prepared, silence, isGivenUp = false } = options
    this.#client = client
    this.#onQuery = onQuery
    this.#beginning = beginning
    this.#prepared = prepared
    this.#silence = silence
    this.#isGivenUp = isGivenUp
  }

  /** False once an answer failed to come, or came in a way that leaves open what the next one belongs to. */
  get isUsable(): boolean {
    return this.#isUsable
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    this.#onQuery(statement.name)
    const { text, values } = statement
    const config = { text, ...(values && { values: [...values] }) }
    const name = this.#prepared?.of(statement)
    const run = async (): Promise<Row[]> =>
      (await (name === undefined ? this.#run<Row>(config) : this.#runPrepared<Row>({ ...config, name }))).rows
    return this.#beginning === '' || this.#isInTransaction ? run() : this.transaction(this.#beginning, run)
  }

  /** Runs text that is not a counted {@link Statement}: it may hold several, without parameters. */
  async script(text: string): Promise<pg.QueryResult<object>> {
    return this.#run<object>({ text })
  }

  /** `begin` may be followed by further statements in the same text, to save round trips. */
  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    this.#isInTransaction = true
    try {
      await this.script(this.#beginning || begin)
      const result = await work()
      const commit = await this.script('commit')
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error.
      if (commit.command === 'ROLLBACK') throw new Error('Not committed: the error of a statement in it was ignored')
      return result
    } catch (error) {
      if (this.#isUsable) await this.script('rollback').catch(() => {})
      throw error
    } finally {
      this.#isInTransaction = false
    }
  }

  /** A connection that refuses what is prepared does so for good: it is not to be used again. */
  async #runPrepared<Row extends object>({ name, ...config }: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    try {
      return await this.#run<Row>({ name, ...config })
    } catch (error) {
      if (!NOT_AS_PREPARED.includes(sqlState(error) ?? '')) throw error
      this.#isUsable = false
      // Its transaction has failed with it.
      if (this.#isInTransaction) throw unavailable(error)
      return this.#run<Row>(config)
    }
  }

  async #run<Row extends object>(config: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    // To close the connection ends the statement here; the server may do it all the same.
    const end = this.#isGivenUp ? this.#silence?.wait(() => this.#client.connection.stream.destroy()) : undefined
    try {
      const result = await this.#client.query<Row>(config)
      this.#silence?.heard()
      return result
    } catch (error) {
      if (!leavesConnectionUsable(error)) this.#isUsable = false
      if (sqlState(error) !== undefined) this.#silence?.heard()
      throw toSeamError(error)
    } finally {
      end?.()
    }
  }
}

/** A transaction's face while it is open: a statement that comes late would run outside of it, so it is refused. */
export class OpenTransaction implements Queryable {
  readonly #connection: Queryable
  #isOpen = true

  constructor(connection: Queryable) {
    this.#connection = connection
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    if (!this.#isOpen) throw new Error(`${statement.name}: its transaction has ended`)
    return this.#connection.query<Row>(statement)
  }

  end(): void {
    this.#isOpen = false
  }
}
