import type { Database, Queryable, Session, Statement } from './database.js'

/** A connection of its own, made when it is needed, and anew after it has ended: a busy pool can't hold it up. */
export class LastingSession implements Queryable {
  readonly #database: Database
  readonly #timeoutMs: number
  #opening: Promise<Session> | undefined

  /** @param timeoutMs longest wait for the answer to one statement */
  constructor(database: Database, timeoutMs: number) {
    this.#database = database
    this.#timeoutMs = timeoutMs
  }

  /** @throws DatabaseUnavailableError */
  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    const session = await (this.#opening ??= this.#open())
    return session.query<Row>(statement)
  }

  async close(): Promise<void> {
    await (await this.#opening?.catch(() => undefined))?.close()
  }

  /** One at a time, whoever waits for it. */
  #open(): Promise<Session> {
    const opening = this.#database.connect(this.#timeoutMs)
    const forget = (): void => {
      if (this.#opening === opening) this.#opening = undefined
    }
    void opening.then(({ closed }) => closed.then(forget), forget)
    return opening
  }
}
