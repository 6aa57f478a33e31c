import { type Clock, systemClock } from '../../cache/index.js'
import type { Queryable } from '../../database/database.js'
import { TooManyReadsError } from '../../errors.js'
import { type ColumnValues, DEFAULT } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import { NEW_COLUMNS, newId, NOW } from './rows.js'

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

/**
 * One statement. It has a parameter per value, of which PostgreSQL allows 65,535: some thousand rows.
 * @returns the new rows, in that order
 */
export async function insertRows(
  transaction: Queryable,
  table: Table,
  userId: string,
  rows: readonly NewRow[],
): Promise<InsertedRow[]> {
  if (rows.length === 0) return []
  const names = Object.keys(table.columns)
  const values: unknown[] = [userId]
  const tuples = rows.map(({ columns, own = {} }, nth) => {
    const cells = names.map((name) =>
      isGiven(columns[name]) ? `$${values.push(columns[name])}::${table.columns[name]}` : 'default',
    )
    const given = (value: unknown, type: string, otherwise: string): string =>
      value === undefined ? otherwise : `$${values.push(value)}::${type}`
    const ours = [
      given(own.id, 'uuid', newId(nth)),
      given(own.created_at, 'timestamptz', NOW),
      given(own.updated_at, 'timestamptz', NOW),
      given(own.version, 'bigint', 'default'),
    ]
    return `(${ours.join(', ')}, $1::uuid, ${cells.join(', ')})`
  })
  return transaction.query<InsertedRow>({
    name: `${table.name}.insert-many`,
    text: `insert into ${table.name} (${NEW_COLUMNS}, version, user_id, ${names.join(', ')}) values ${tuples.join(', ')}
      returning id, external_id, version`,
    values,
  })
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== DEFAULT
}
