import { InvalidReferenceError } from '../errors.js'
import type { Queryable } from '../database/database.js'
import type { ColumnValues } from './table.js'

/** A column that names rows of another owned table: one id, or an array of ids. */
export interface Reference {
  readonly column: string
  readonly table: string
  /** The tag of one such row, which whatever names it carries. */
  readonly tag: (userId: string, id: string) => string
}

/** How many ids an error names at most. */
const MOST_NAMED = 10

/**
 * Holds the user until the transaction ends; before the rows that it refers to, which is the order in which a user is deleted.
 * Without it the two could wait for each other: the insert asks for the user last, by its foreign key.
 */
export async function lockOwner(transaction: Queryable, userId: string): Promise<void> {
  const text = 'select id from users where id = $1::uuid for key share'
  await transaction.query({ name: 'users.lock-owner', text, values: [userId] })
}

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

/** The tags of every row that these columns refer to. */
export function tagsOfReferences(
  userId: string,
  references: readonly Reference[],
  columns: ColumnValues,
): readonly string[] {
  return references.flatMap(({ column, tag }) => idsIn(columns[column]).map((id) => tag(userId, id)))
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? [value] : []
}
