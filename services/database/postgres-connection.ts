import type pg from 'pg'
import type { Queryable, Statement } from './database.js'
import { leavesConnectionUsable, toSeamError } from './errors.js'

/** `pg` reads it; its types do not know it. */
interface TimedQueryConfig extends pg.QueryConfig {
  query_timeout?: number
}

/** One connection of `pg` in use, which remembers whether it may be used again. */
export class PostgresConnection implements Queryable {
  readonly #client: pg.ClientBase
  readonly #onQuery: (statementName: string) => void
  #isUsable = true

  constructor(client: pg.ClientBase, onQuery: (statementName: string) => void) {
    this.#client = client
    this.#onQuery = onQuery
  }

  /** False once an answer failed to come, or came in a way that leaves open what the next one belongs to. */
  get isUsable(): boolean {
    return this.#isUsable
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    this.#onQuery(statement.name)
    const result = await this.#run<Row>({
      text: statement.text,
      ...(statement.values && { values: [...statement.values] }),
      ...(statement.timeoutMs !== undefined && { query_timeout: statement.timeoutMs }),
    })
    return result.rows
  }

  /** Runs text that is not a counted {@link Statement}: it may hold several, without parameters. */
  async script(text: string): Promise<pg.QueryResult<object>> {
    return this.#run<object>({ text })
  }

  /** `begin` may be followed by further statements in the same text, to save round trips. */
  async transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    await this.script(begin)
    try {
      const result = await work()
      const commit = await this.script('commit')
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error.
      if (commit.command === 'ROLLBACK') throw new Error('Not committed: the error of a statement in it was ignored')
      return result
    } catch (error) {
      if (this.#isUsable) await this.script('rollback').catch(() => {})
      throw error
    }
  }

  async #run<Row extends object>(config: TimedQueryConfig): Promise<pg.QueryResult<Row>> {
    try {
      return await this.#client.query<Row>(config)
    } catch (error) {
      if (!leavesConnectionUsable(error)) this.#isUsable = false
      throw toSeamError(error)
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
