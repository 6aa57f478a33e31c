import { InvalidReferenceError } from '../errors.js'
import type { Queryable } from '../database/database.js'
import type { ColumnValues } from './table.js'

/** A column that names rows of another owned table: one id, or an array of ids. */
export interface Reference {
  readonly column: string
  readonly table: string
}

/** How many ids an error names at most. */
const MOST_NAMED = 10

/**
 * Holds every row that `columns` refer to until the transaction ends, so that none can be deleted meanwhile.
 * References are declared in lock order: templates before designs.
 * @returns an InvalidReferenceError that names the ids which are not rows of this user; `undefined` when all are
 */
export async function lockReferences(
  transaction: Queryable,
  userId: string,
  references: readonly Reference[],
  columns: ColumnValues,
): Promise<Error | undefined> {
  for (const { column, table } of references) {
    const ids = idsIn(columns[column])
    if (ids.length === 0) continue
    const rows = await transaction.query<{ id: string }>({
      name: `${table}.lock-references`,
      text: `select id from ${table} where user_id = $1::uuid and id = any($2::uuid[]) order by id for key share`,
      values: [userId, ids],
    })
    const found = new Set(rows.map((row) => row.id))
    const missing = ids.filter((id) => !found.has(id))
    if (missing.length > 0) return new InvalidReferenceError(column, missing.slice(0, MOST_NAMED).join(', '))
  }
  return undefined
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? [value] : []
}
