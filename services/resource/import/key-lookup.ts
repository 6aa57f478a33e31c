import type { ColumnValues, Columns } from '../sql/columns.js'

/*
 * How rows are looked up by a key: by an index on a hash of it and of the owner, which is the only one that fits. A condition on user_id that
 * an index could take would let the planner read all rows of a user whom its statistics do not know yet: `is not distinct from` is none.
 */

/** The key of a row that has an external_id. */
export const EXTERNAL_ID = { external_id: 'text' } as const satisfies Columns

/** For `where`: the rows of the user $1 that have the key which `line` has. */
export function hasKey(there: string, line: string, key: Columns): string {
  const names = Object.keys(key)
  const fields = (alias: string, owner: string): string =>
    `row(${[owner, ...names.map((name) => `${alias}.${name}`)].join(', ')})`
  const [found, wanted] = [fields(there, `${there}.user_id`), fields(line, '$1::uuid')]
  const isNamed = names.includes('external_id') ? ` and ${there}.external_id is not null` : ''
  return `hash_record_extended(${found}, 0) = hash_record_extended(${wanted}, 0) and ${found} is not distinct from ${wanted}${isNamed}`
}

/**
 * What follows such a condition. No index has this order: with a mere limit the planner would hope to meet a row early on in the whole table,
 * where it knows nothing of the hashes yet.
 */
export function oldest(limit: number): string {
  return `order by created_at, id limit ${limit}`
}

/** The columns of a natural key with their types. */
export function keyColumns(columns: Columns, naturalKey: readonly string[]): Columns {
  return Object.fromEntries(naturalKey.map((column) => [column, columns[column] ?? 'text']))
}

/** The values that a line has for a key. */
export function keyValues(key: Columns, columns: ColumnValues): ColumnValues {
  return Object.fromEntries(Object.keys(key).map((column) => [column, columns[column]]))
}
