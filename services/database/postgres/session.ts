import type pg from 'pg'
import type { Session, Statement } from '../database.js'
import { unavailable } from '../errors.js'
import { PostgresConnection } from './connection.js'
import type { PostgresConnector, Settled } from './connector.js'
import type { Limits } from '../session-settings.js'
import type { Silence } from './silence.js'

export interface SessionOptions {
  readonly connector: PostgresConnector
  readonly limits: Limits
  /** Longest wait for the answer to one statement, in ms. */
  readonly timeoutMs: number
  /** Listens, if there is one. */
  readonly channel: string | undefined
  readonly onNotification: (payload: string) => void
  readonly onQuery: (statementName: string) => void
  /** Hears of each answer. */
  readonly silence: Silence
  /** Whether nothing of it is waited for while the server is silent. */
  readonly isGivenUp: boolean
}

/** How long a server may take to say goodbye before its socket is closed from here, in ms. */
const GOODBYE_MS = 1_000

/** A connection of its own. One fault and it is over, for whoever holds it to open another. */
export class PostgresSession implements Session {
  readonly closed: Promise<Error | undefined>
  readonly #client: pg.Client
  readonly #connection: PostgresConnection
  #settle: (reason: Error | undefined) => void = () => {}

  private constructor(client: pg.Client, settled: Settled, options: SessionOptions) {
    const { onQuery, silence, isGivenUp } = options
    this.#client = client
    this.#connection = new PostgresConnection(client, { ...settled, onQuery, silence, isGivenUp })
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    client.on('error', (error) => this.#abandon(error))
    client.on('end', () => this.#abandon('the connection ended'))
    client.on('notification', ({ channel, payload }) => {
      if (channel === options.channel) options.onNotification(payload ?? '')
    })
  }

  /** @throws DatabaseUnavailableError when no connection can be made, or the server is silent and that counts */
  static async open(options: SessionOptions): Promise<PostgresSession> {
    if (!options.isGivenUp) return PostgresSession.#open(options)
    let isGivenUp = false
    const open = (): Promise<PostgresSession> => {
      const opening = PostgresSession.#open(options)
      opening.then(
        (session) => void (isGivenUp && session.close()),
        () => {},
      )
      return opening
    }
    return options.silence.during(open, () => (isGivenUp = true))
  }

  static async #open(options: SessionOptions): Promise<PostgresSession> {
    const { connector, limits, timeoutMs, channel } = options
    const client = await connector.connect(timeoutMs)
    try {
      const session = new PostgresSession(client, await connector.settle(client, limits), options)
      if (channel !== undefined) await client.query(`listen ${client.escapeIdentifier(channel)}`)
      options.silence.heard()
      return session
    } catch (error) {
      client.connection.stream.destroy()
      throw unavailable(error)
    }
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    try {
      return await this.#connection.query<Row>(statement)
    } catch (error) {
      if (!this.#connection.isUsable) this.#abandon(error)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#client.removeAllListeners('notification')
    this.#settle(undefined)
    const timer = setTimeout(() => this.#client.connection.stream.destroy(), GOODBYE_MS)
    await this.#client.end()
    clearTimeout(timer)
  }

  /** Without a goodbye: a server that stopped answering would not hear it. */
  #abandon(cause: unknown): void {
    this.#settle(unavailable(cause))
    this.#client.removeAllListeners('notification')
    this.#client.connection.stream.destroy()
  }
}
