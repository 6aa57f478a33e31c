import type { Queryable } from '../../database/database.js'
import { type Columns, type ColumnValues, DEFAULT } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import { type InTransaction, NEW_COLUMNS, newValues, TRANSACTION } from './rows.js'

/** What of a resource these statements are about. */
type Table = Pick<ResourceDefinition, 'name' | 'columns'>

/** A row that one of these statements wrote. */
export interface Upserted extends InTransaction {
  readonly id: string
  readonly version: number | string | bigint
  readonly is_new: boolean
}

/**
 * Inserts rows or replaces those that have their `external_id`s, whole: a column that a row does not name gets its default. Rows that
 * are so already are not written, and not returned. It has a parameter per value, of which PostgreSQL allows 65,535.
 * @param rows each with an `external_id` of its own
 */
export function upsertRows(
  transaction: Queryable,
  table: Table,
  userId: string,
  rows: readonly ColumnValues[],
): Promise<(Upserted & { readonly external_id: string })[]> {
  const { name, columns } = table
  const names = Object.keys(columns)
  const values: unknown[] = [userId]
  const tuples = rows.map(
    (row, nth) =>
      `(${[newValues(nth), '$1::uuid', ...names.map((column) => cell(columns, column, row, values))].join(', ')})`,
  )
  return transaction.query({
    name: `${name}.upsert`,
    text: `insert into ${name} (${NEW_COLUMNS}, user_id, ${names.join(', ')}) values ${tuples.join(', ')}
      on conflict (user_id, external_id) do update set ${replaced(table)} where ${differs(table)}
      returning ${returned(name)}, ${name}.external_id`,
    values,
  })
}

/**
 * Replaces a row, whole, that the transaction has locked.
 * @returns whether it was another one before
 */
export async function replaceRow(
  transaction: Queryable,
  table: Table,
  row: { readonly userId: string; readonly id: string; readonly columns: ColumnValues },
): Promise<boolean> {
  const { name, columns } = table
  const names = Object.keys(columns)
  const values: unknown[] = [row.userId, row.id]
  const cells = names.map((column) => cell(columns, column, row.columns, values))
  // Only an insert knows what the table has for columns that nobody names.
  const written = await transaction.query({
    name: `${name}.replace`,
    text: `insert into ${name} (user_id, id, ${names.join(', ')}) values ($1::uuid, $2::uuid, ${cells.join(', ')})
      on conflict (id) do update set ${replaced(table)} where ${name}.user_id = $1::uuid and ${differs(table)}
      returning ${name}.id`,
    values,
  })
  return written.length > 0
}

function cell(columns: Columns, column: string, row: ColumnValues, values: unknown[]): string {
  const isGiven = column in row && row[column] !== DEFAULT
  return isGiven ? `$${values.push(row[column])}::${columns[column]}` : 'default'
}

function replaced({ columns }: Table): string {
  return Object.keys(columns)
    .map((column) => `${column} = excluded.${column}`)
    .join(', ')
}

/** Compared as `ResourceRows.update` does. */
function differs({ name, columns }: Table): string {
  const all = (row: string): string =>
    Object.entries(columns)
      .map(([column, type]) => `${row}.${column}::${type}`)
      .join(', ')
  return `record_image_ne(row(${all(name)}), row(${all('excluded')}))`
}

/** A new row has no older version that a transaction could have ended: its xmax is 0. */
function returned(table: string): string {
  return `${table}.id, ${table}.version, ${table}.xmax::text = '0' as is_new, ${TRANSACTION}`
}
