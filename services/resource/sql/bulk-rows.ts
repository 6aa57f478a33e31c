import { type Clock, systemClock } from '../../cache/index.js'
import type { Queryable } from '../../database/database.js'
import { TooManyReadsError } from '../../errors.js'
import { type Columns, type ColumnValues, DEFAULT } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import { byNames, cell, recordset } from './recordset.js'
import { newId, NOW } from './rows.js'

/** What of a resource these statements are about. */
type Table = Pick<ResourceDefinition, 'name' | 'columns'>

/** A row to insert. */
export interface NewRow {
  readonly columns: ColumnValues
  /** What it keeps of the database that it comes from, in place of what this one would give it. */
  readonly own?: {
    readonly id?: string
    readonly version?: number
    readonly created_at?: string
    readonly updated_at?: string
  }
}

/** What the database made of it. */
export interface InsertedRow {
  readonly id: string
  readonly external_id: string | null
  readonly version: string | number | bigint
}

/** How long one waits for the others, in ms, and how long at most between two looks whether they have done. */
const LONGEST_WAIT_MS = 60_000
const LONGEST_PAUSE_MS = 250

/**
 * Waits for other bulk writes into this table for this user; the lock is held until the transaction ends. It asks again and again: the others
 * may take longer than a statement may wait.
 * @throws TooManyReadsError when they take more than a minute
 */
export async function lockBulkInserts(
  transaction: Queryable,
  table: Pick<Table, 'name'>,
  userId: string,
  { now, sleep }: Pick<Clock, 'now' | 'sleep'> = systemClock,
): Promise<void> {
  const giveUpAt = now() + LONGEST_WAIT_MS
  for (let pauseMs = 4; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const [row] = await transaction.query<{ is_locked: boolean }>({
      name: `${table.name}.lock-bulk`,
      text: 'select pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) as is_locked',
      values: [`roundhouse ${table.name} ${userId}`],
    })
    if (row?.is_locked === true) return
    if (now() >= giveUpAt) throw new TooManyReadsError()
    await sleep(pauseMs)
  }
}

/** What a row may keep of where it comes from. */
const OWN: Columns = { id: 'uuid', created_at: 'timestamptz', updated_at: 'timestamptz', version: 'bigint' }

/**
 * One statement for rows that name the same columns: what is not named gets its default.
 * @returns the new rows, in that order
 */
export async function insertRows(
  transaction: Queryable,
  table: Table,
  userId: string,
  rows: readonly NewRow[],
): Promise<InsertedRow[]> {
  const made = new Map<number, InsertedRow>()
  const wanted = rows.map(({ columns, own }, nth) => ({ nth, ...columns, ...own }))
  for (const [types, alike] of byNames({ ...OWN, ...table.columns }, wanted, isGiven)) {
    const ours = { id: newId('line.nth'), created_at: NOW, updated_at: NOW }
    const cells = {
      ...ours,
      ...Object.fromEntries(Object.keys(types).map((name) => [name, cell('line', name, types)])),
    }
    const inserted = await transaction.query<InsertedRow>({
      name: `${table.name}.insert-many`,
      text: `insert into ${table.name} (user_id, ${Object.keys(cells).join(', ')})
        select $1::uuid, ${Object.values(cells).join(', ')} from ${recordset('$2', 'line', types)} order by line.nth
        returning id, external_id, version`,
      values: [userId, JSON.stringify(alike)],
    })
    for (const [place, row] of inserted.entries()) made.set(alike[place]!.nth, row)
  }
  return rows.map((_, nth) => made.get(nth)!)
}

function isGiven(row: Readonly<Record<string, unknown>>, name: string): boolean {
  return row[name] !== undefined && row[name] !== DEFAULT
}
