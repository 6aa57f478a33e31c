import type { Queryable } from '../database/database.js'
import { type ColumnValues, DEFAULT } from './columns.js'
import type { ResourceDefinition } from './definition.js'
import { NEW_COLUMNS, newValues } from './rows.js'

/** What of a resource these statements are about. */
type Table = Pick<ResourceDefinition, 'name' | 'columns'>

/** A row to insert. */
export interface NewRow {
  readonly columns: ColumnValues
}

/** What the database made of it. */
export interface InsertedRow {
  readonly id: string
  readonly external_id: string | null
  readonly version: string | number | bigint
}

/** Waits for other bulk inserts into this table for this user; the lock is held until the transaction ends. */
export async function lockBulkInserts(transaction: Queryable, table: Table, userId: string): Promise<void> {
  await transaction.query({
    name: `${table.name}.lock-bulk`,
    text: 'select pg_advisory_xact_lock(hashtextextended($1::text, 0))',
    values: [`roundhouse ${table.name} ${userId}`],
  })
}

/** Those of `keys` that a row of the user has in `column`. */
export async function keysThere(
  transaction: Queryable,
  table: Table,
  userId: string,
  column: string,
  keys: readonly string[],
): Promise<Set<string>> {
  const rows = await transaction.query<{ key: string }>({
    name: `${table.name}.keys-there`,
    text: `select distinct ${column} as key from ${table.name} where user_id = $1::uuid and ${column} = any($2::text[])`,
    values: [userId, keys],
  })
  return new Set(rows.map(({ key }) => key))
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
  const tuples = rows.map(({ columns }, nth) => {
    const cells = names.map((name) =>
      isGiven(columns[name]) ? `$${values.push(columns[name])}::${table.columns[name]}` : 'default',
    )
    return `(${newValues(nth)}, $1::uuid, ${cells.join(', ')})`
  })
  return transaction.query<InsertedRow>({
    name: `${table.name}.insert-many`,
    text: `insert into ${table.name} (${NEW_COLUMNS}, user_id, ${names.join(', ')}) values ${tuples.join(', ')}
      returning id, external_id, version`,
    values,
  })
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== DEFAULT
}
