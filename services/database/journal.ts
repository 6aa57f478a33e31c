import { type Announcements, type CachedTable, createJournal, type Journal, type SqlRunner } from '../cache/index.js'
import type { Database, Queryable, Session } from './database.js'

export interface JournalOptions {
  readonly tables: readonly CachedTable[]
  /** How long one reading of the journal may take, in ms: the staleness bound H, since a later one is of no use. */
  readonly tailTimeoutMs: number
}

/** The cache's journal over `database`. It is read over a connection of its own, which takes the same way as the loads. */
export function openJournal(database: Database, { tables, tailTimeoutMs }: JournalOptions): Journal {
  const reading = new ReopenedSession(database, tailTimeoutMs)
  return createJournal({
    sql: runnerOn(database, 'cache_journal.change'),
    tail: reading,
    tables,
    close: () => reading.close(),
    // The embedded database has this one process: nobody else is to be told.
    ...(database.kind === 'postgres' && { listen: (onPayload) => listen(database, onPayload) }),
  })
}

/** A session that is opened when it is needed, and anew after it has ended. */
class ReopenedSession implements SqlRunner {
  readonly #database: Database
  readonly #timeoutMs: number
  #session: Session | undefined

  constructor(database: Database, timeoutMs: number) {
    this.#database = database
    this.#timeoutMs = timeoutMs
  }

  async query(text: string, values: unknown[] = []): Promise<{ readonly rows: unknown[] }> {
    const session = (this.#session ??= await this.#open())
    return { rows: await session.query({ name: 'cache_journal.tail', text, values, timeoutMs: this.#timeoutMs }) }
  }

  async close(): Promise<void> {
    await this.#session?.close()
  }

  async #open(): Promise<Session> {
    const session = await this.#database.connect()
    void session.closed.then(() => {
      if (this.#session === session) this.#session = undefined
    })
    return session
  }
}

/** Where others tell of changes. The channel is named by the journal's oid: two schemas of one database do not mix. */
async function listen(database: Database, onPayload: (payload: string) => void): Promise<Announcements> {
  const text = `select 'cache_' || 'cache_journal'::regclass::oid as channel`
  const [row] = await database.query<{ channel: string }>({ name: 'cache_journal.channel', text })
  const channel = row?.channel ?? 'cache'
  const session = await database.listen(channel, onPayload)
  return {
    async announce(payload) {
      const values = [channel, payload]
      await session.query({ name: 'cache_journal.announce', text: 'select pg_notify($1, $2)', values })
    },
    closed: session.closed,
    close: () => session.close(),
  }
}

function runnerOn(database: Queryable, name: string): SqlRunner {
  return { query: async (text, values = []) => ({ rows: await database.query({ name, text, values }) }) }
}
