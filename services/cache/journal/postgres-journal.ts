import { transactionId } from '../core/snapshot.js'
import { GOES_ON, releaseOf } from './functions.js'
import type { Change, Journal, SqlRunner } from './journal.js'
import type { CachedTable } from './table-triggers.js'

export interface PostgresJournalOptions extends Pick<Journal, 'listen' | 'close'> {
  /** Runs one statement each, in no transaction of the caller's: a pool. */
  readonly sql: SqlRunner
  /** For reading, so that a busy pool does not hold it up: a connection of its own, to the same server as the loads. `sql` unless given. */
  readonly tail?: SqlRunner
  readonly tables: readonly CachedTable[]
  /** More tags than this at once are not read: everything before counts as unknown. */
  readonly mostTags?: number
}

const MOST_TAGS = 100_000
const FEWEST_TAGS = 1_000
const PRUNE_BATCH = 5_000

/** What the function `tail` answers: a transaction is below 2^53, so JSON's numbers hold it. */
interface RawTail {
  readonly snapshot: string
  readonly server?: string
  readonly from?: string
  readonly identity?: string
  readonly fault?: string | null
  readonly is_broken?: boolean
  readonly changes?: readonly Change[] | null
}

/** The journal in PostgreSQL (14 or later, PGlite too), as `installJournal` has made it for these very tables. */
export function createJournal(options: PostgresJournalOptions): Journal {
  const { sql, tail = sql, tables, mostTags = MOST_TAGS, listen, close } = options
  const release = releaseOf(tables)
  /** What the next tail may bring: less after one that was not done in time, which would be asked for again and again. */
  let most = mostTags
  const fewest = Math.min(FEWEST_TAGS, mostTags)
  /** Calls a function of this release; all of them answer one text, or none. */
  const call = async (on: SqlRunner, name: string, ...values: (string | null)[]): Promise<string | null> => {
    const places = values.map((_, n) => `$${n + 1}::text`).join(', ')
    const { rows } = await on
      .query(`select ${release}_${name}(${places})::text as answer`, values)
      .catch((error: unknown) => {
        throw isMissing(error)
          ? new Error(`${error.message}: run installJournal for these very tables`, { cause: error })
          : error
      })
    return (rows as { answer: string | null }[])[0]?.answer ?? null
  }
  const tailed = async (since: string | null, identity: string | null): Promise<string | null> => {
    try {
      return await call(tail, 'tail', since, identity, `${most}`)
    } catch (error) {
      if (!tookTooLong(error) || most === fewest) throw error
      most = Math.max(fewest, Math.floor(most / 4))
      // Who follows asks again; a start does not.
      if (since !== null) throw error
      return tailed(since, identity)
    }
  }
  /** One step of making it anew, and what it came to. On a busy server it may take too long: the next tail goes on, and no start is refused by that. */
  const renewed = async (): Promise<string> => {
    try {
      return (await call(tail, 'renew')) ?? 'emptied, or from elsewhere: made anew'
    } catch (error) {
      if (!tookTooLong(error)) throw error
      return 'emptied, or from elsewhere: making it anew took too long'
    }
  }
  return {
    ...(listen && { listen }),
    ...(close && { close }),
    async tail(since, identity) {
      const text = await tailed(since ?? null, identity ?? null)
      most = mostTags
      const raw: RawTail = JSON.parse(text ?? '{}')
      let fault = raw.fault ?? undefined
      // A tail writes nothing: the next one finds what this puts right, in steps each of which is to be done in the time of a tail.
      while (raw.is_broken && (fault === undefined || fault === GOES_ON)) fault = await renewed()
      return {
        snapshot: raw.snapshot,
        server: raw.server,
        from: raw.from ?? '',
        identity: raw.identity,
        fault,
        changes: raw.changes?.map(withTagsOnly),
      }
    },
    async touch(tags) {
      const { rows } = await sql.query('select cache_touch($1::text[]) as id', [tags])
      return transactionId((rows as { id: string }[])[0]?.id ?? '')
    },
    async mark(everyMs) {
      await call(sql, 'mark', `${everyMs} milliseconds`)
    },
    async prune(ms) {
      const pruned = await call(sql, 'prune', `${ms} milliseconds`)
      let total = 0
      for (let looked = 1; looked > 0; total += looked) looked = Number(await call(sql, 'remove', `${PRUNE_BATCH}`))
      if (pruned !== null) await call(sql, 'finish', pruned)
      return total
    },
  }
}

/** A row that was written by hand may hold nulls, or arrays of arrays. */
function withTagsOnly(change: Change): Change {
  const isTag = (tag: unknown): tag is string => typeof tag === 'string'
  return change.tags.every(isTag) ? change : { ...change, tags: [change.tags].flat(Infinity).filter(isTag) }
}

/** No such function: these tables have not been installed, or not in a schema of the search path. */
function isMissing(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === '42883'
}

/** The server ended it for that, or `pg` gave it up: its error has no code. */
function tookTooLong(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isSaid = error.message === 'Query read timeout' || ('code' in error && error.code === '57014')
  return isSaid || tookTooLong(error.cause)
}
