import type { Queryable } from '../../database/database.js'

/** A moment of the database: the first transaction that had not begun by then. */
export interface Since {
  readonly xid: string
}

/** The moment at which an import begins. */
export async function importBegins(database: Queryable): Promise<Since | undefined> {
  const [since] = await database.query<Since>({
    name: 'import.begin',
    text: 'select pg_snapshot_xmax(pg_current_snapshot())::xid::text as xid',
  })
  return since
}

/** Transactions that may begin while a batch is written: they are younger than its own, from which ages are counted. */
const MOST_BESIDE = 1_000_000

/**
 * Whether the row was written since the moment whose `xid` stands at that place; null: nobody has named one. By the transaction that wrote it, not
 * by what the row says: an import may keep ids and dates. Far below 0 is the age of a row that was frozen before ids of transactions came round.
 */
export function isWrittenSince(there: string, place: string): string {
  return `coalesce(age(${there}.xmin) between -${MOST_BESIDE} and age(${place}::xid), false)`
}
