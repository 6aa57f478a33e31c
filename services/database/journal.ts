import {
  type Announcements,
  type CachedTable,
  createJournal,
  type Journal,
  SERVER_SQL,
  type SqlRunner,
} from '../cache/index.js'
import type { ConnectionCheck, Database, Queryable } from './database.js'
import { LastingSession } from './lasting-session.js'

export interface JournalOptions {
  readonly tables: readonly CachedTable[]
  /** How long one reading of the journal may take, in ms: the staleness bound H, since a later one is of no use. */
  readonly tailTimeoutMs: number
}

/** The cache's journal over `database`. It is read over a connection of its own, which takes the same way as the loads. */
export function openJournal(database: Database, { tables, tailTimeoutMs }: JournalOptions): Journal {
  const reading = new LastingSession(database, tailTimeoutMs)
  const journal = createJournal({
    sql: runnerOn(database.reserved, 'cache_journal.change'),
    tail: runnerOn(reading, 'cache_journal.tail'),
    tables,
    close: () => reading.close(),
    // The embedded database has this one process: nobody else is to be told.
    ...(database.kind === 'postgres' && { listen: (onPayload) => listen(database, onPayload) }),
  })
  let known = ''
  return {
    ...journal,
    async tail(since, identity) {
      const answer = await journal.tail(since, identity)
      const { server = '', identity: history = '' } = answer
      const [epoch = ''] = history.split(' ')
      if (`${server} ${epoch}` !== known) database.renewConnections(leadingTo(server, epoch))
      known = `${server} ${epoch}`
      return answer
    },
  }
}

/**
 * A new connection must lead to the server whose journal is read: after a failover the name may still lead to the old one. That server is known by its
 * start, also while its journal can't be relied on and may be empty; and by the journal's epoch, which outlives an orderly restart. A standby is
 * refused by the question: it can't read unlogged tables.
 */
function leadingTo(server: string, epoch: string): ConnectionCheck {
  return {
    text: `select (${SERVER_SQL}) as server, (select epoch::text from cache_journal_state limit 1) as epoch`,
    refusal([row]) {
      if (row !== undefined && 'server' in row && row.server === server) return undefined
      if (row !== undefined && 'epoch' in row && row.epoch === epoch) return undefined
      return 'this connection leads to another history of the database than the cache follows'
    },
  }
}

/** Where others tell of changes. The channel is named by the journal's oid: two schemas of one database do not mix. */
async function listen(database: Database, onPayload: (payload: string) => void): Promise<Announcements> {
  const text = `select 'cache_' || 'cache_journal'::regclass::oid as channel`
  const [row] = await database.reserved.query<{ channel: string }>({ name: 'cache_journal.channel', text })
  const channel = row?.channel ?? 'cache'
  const session = await database.listen(channel, onPayload)
  return {
    async announce(payload) {
      const values = [channel, payload]
      await session.query({
        name: 'cache_journal.announce',
        text: 'select pg_notify($1, $2)',
        values,
        isPrepared: true,
      })
    },
    closed: session.closed,
    close: () => session.close(),
  }
}

function runnerOn(database: Queryable, name: string): SqlRunner {
  return {
    query: async (text, values = []) => ({ rows: await database.query({ name, text, values, isPrepared: true }) }),
  }
}
