import type { RaisedTag } from '../cache/entry.js'
import type { JournalSession, JournalStore } from '../cache/journal-store.js'
import type { Database, ListenSession, Queryable } from './database.js'

const CHANNEL = 'cache_journal'

/**
 * A row is dated when it is raised, and visible once its transaction commits. The raise is the last statement of its
 * transaction, so this is more than the two can lie apart, in ms.
 */
const COMMIT_LAG_MS = 60_000

const PRUNE_BATCH = 5_000

interface JournalRow {
  readonly tag: string
  readonly version: string
}

// The function is the one place that raises: other clients announce their own SQL with it (migration 002).
const RAISE = 'select tag, version::text as version from cache_touch($1::text[])'

// One statement is one snapshot: what it leaves out was not committed when it began, and its xmin is at most the id of
// every transaction that had not ended by then. An xmin below the cursor means that the server's history was
// replaced (a failover to a lagging standby, a restored backup): then everything counts as new.
const TAIL = `
  select pg_snapshot_xmin(pg_current_snapshot())::text as cursor, tag, version::text as version
  from (select) as always
  left join cache_journal on changed_in >=
    case when pg_snapshot_xmin(pg_current_snapshot()) < $1::text::xid8 then '0'::xid8 else $1::text::xid8 end`

const CHANGED_WITHIN = `changed_at > clock_timestamp() - $1::float8 * interval '1 millisecond'`

// Locked rows are being raised: they are not old any more, and waiting for them in another order than RAISE deadlocks.
const PRUNE = `
  with pruned as (
    delete from cache_journal where tag in (
      select tag from cache_journal where not (${CHANGED_WITHIN}) and tag <> '*'
      order by tag limit ${PRUNE_BATCH} for update skip locked)
    returning 1)
  select count(*)::integer as count from pruned`

/**
 * Raises `tags` in the journal and notifies every replica once the transaction commits. A rollback undoes both.
 * To be the last statement of its transaction: other writers of the same tags wait from here to the commit.
 * Tags given twice are raised once.
 */
export async function raiseTags(transaction: Queryable, tags: readonly string[]): Promise<RaisedTag[]> {
  if (tags.length === 0) return []
  const rows = await transaction.query<JournalRow>({ name: 'cache_journal.raise', text: RAISE, values: [tags] })
  return rows.map(toRaisedTag)
}

export interface JournalStoreOptions {
  /** How long a tail may take before its session is given up, in ms; the staleness bound H, since a later one is of no use. */
  readonly tailTimeoutMs?: number
}

/** The journal as the cache engine sees it, over `database`. */
export function createJournalStore(
  database: Database,
  { tailTimeoutMs = 1_000 }: JournalStoreOptions = {},
): JournalStore {
  return {
    async identity() {
      const text = 'select id, secret from cache_journal_identity'
      const [identity] = await database.query<{ id: string; secret: string }>({ name: 'cache_journal.identity', text })
      if (!identity) throw new Error('cache_journal_identity is empty: its row is made by the migrations')
      return identity
    },

    async renewIdentity(id) {
      const text = `update cache_journal_identity set id = left(replace(gen_random_uuid()::text, '-', ''), 12) where id = $1`
      await database.query({ name: 'cache_journal.renew_identity', text, values: [id] })
    },

    async versionOf(tag) {
      const text = 'select tag, version::text as version from cache_journal where tag = $1'
      const [row] = await database.query<JournalRow>({ name: 'cache_journal.version_of', text, values: [tag] })
      return row ? toRaisedTag(row).version : 0
    },

    // A single statement is a transaction of its own, in one round trip.
    raise: (tags) => raiseTags(database, tags),

    async open(onRaised) {
      const session = await database.listen(CHANNEL, (payload) => onRaised(parsePayload(payload)))
      return journalSession(session, tailTimeoutMs)
    },

    async changedWithin(ms, after, limit) {
      const text = `
        select tag, version::text as version from cache_journal
        where ${CHANGED_WITHIN} and tag > $2 order by tag limit $3`
      const values = [ms + COMMIT_LAG_MS, after ?? '', limit]
      const rows = await database.query<JournalRow>({ name: 'cache_journal.changed_within', text, values })
      return rows.map(toRaisedTag)
    },

    async countChangedWithin(ms) {
      const text = `select count(*)::integer as count from cache_journal where ${CHANGED_WITHIN}`
      return countOf(database, 'cache_journal.count_changed_within', text, ms + COMMIT_LAG_MS)
    },

    async prune(ms) {
      let total = 0
      for (;;) {
        const count = await countOf(database, 'cache_journal.prune', PRUNE, ms)
        total += count
        if (count < PRUNE_BATCH) return total
      }
    },
  }
}

function journalSession(session: ListenSession, timeoutMs: number): JournalSession {
  return {
    closed: session.closed,
    close: () => session.close(),
    async tail(cursor) {
      const rows = await session.query<{ cursor: string; tag: string | null; version: string | null }>({
        name: 'cache_journal.tail',
        text: TAIL,
        values: [cursor ?? null],
        timeoutMs,
      })
      const [first] = rows
      if (!first) throw new Error('The tail always answers with a row')
      const raised: RaisedTag[] = []
      for (const { tag, version } of rows) {
        if (tag !== null && version !== null) raised.push(toRaisedTag({ tag, version }))
      }
      return { cursor: first.cursor, raised }
    },
  }
}

async function countOf(database: Queryable, name: string, text: string, ms: number): Promise<number> {
  const [row] = await database.query<{ count: number }>({ name, text, values: [ms] })
  return row?.count ?? 0
}

/** Versions come as text: the drivers read `bigint` differently. They stay far below 2^53. */
function toRaisedTag({ tag, version }: JournalRow): RaisedTag {
  return { tag, version: Number(version) }
}

/** `[["tag", version], …]`; anything else, as from a foreign NOTIFY on the channel, only says "tail at once". */
function parsePayload(payload: string): RaisedTag[] {
  if (payload === '') return []
  try {
    const pairs: unknown = JSON.parse(payload)
    return Array.isArray(pairs) ? pairs.map(toPair) : []
  } catch {
    return []
  }
}

function toPair(pair: unknown): RaisedTag {
  if (!Array.isArray(pair)) throw new TypeError('not a pair')
  const [tag, version]: unknown[] = pair
  if (typeof tag !== 'string' || typeof version !== 'number') throw new TypeError('not a tag and its version')
  return { tag, version }
}
