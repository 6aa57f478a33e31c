import { InvalidReferenceError } from '../../errors.js'
import type { Queryable } from '../../database/database.js'
import { rowTag } from '../addresses.js'
import type { ColumnValues } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import { isOf } from './owner.js'

/** A column that names rows of another resource: one id, or an array of ids. */
export interface Reference {
  readonly column: string
  readonly table: string
}

/**
 * What rows of `definition` refer to, in the order in which all writers lock it: that of `resources`.
 * @throws Error when it refers to what is no resource, or does not stand before it there
 */
export function referencesOf(
  definition: ResourceDefinition,
  resources: readonly ResourceDefinition[],
): readonly Reference[] {
  const before = resources.slice(0, resources.indexOf(definition)).map(({ name }) => name)
  const references = Object.entries(definition.references ?? {}).map(([column, { to }]) => ({ column, table: to }))
  const later = references.find(({ table }) => !before.includes(table))
  if (later !== undefined) {
    const { column, table } = later
    const isThere = resources.some(({ name }) => name === table)
    const why = isThere ? 'list that first in services/domains.ts' : 'no resource is called that'
    throw new Error(`${definition.name}.${column} refers to ${table}: ${why}`)
  }
  return references.sort((a, b) => before.indexOf(a.table) - before.indexOf(b.table))
}

/** How many ids an error names at most. */
const MOST_NAMED = 10

/**
 * Holds the user until the transaction ends; before the rows that it refers to, which is the order in which a user is deleted.
 * Without it the two could wait for each other: the insert asks for the user last, by its foreign key.
 */
export async function lockOwner(transaction: Queryable, userId: string): Promise<void> {
  const text = 'select id from users where id = $1::uuid for key share'
  await transaction.query({ name: 'users.lock-owner', text, values: [userId], isPrepared: true })
}

/**
 * Holds every row that `columns` refer to until the transaction ends, so that none can be deleted meanwhile.
 * References come in lock order: another order can deadlock.
 * @returns an InvalidReferenceError that names the ids which are not rows of this user; `undefined` when all are
 */
export async function lockReferences(
  transaction: Queryable,
  userId: string,
  references: readonly Reference[],
  columns: ColumnValues,
): Promise<Error | undefined> {
  return (await lockReferencesOfMany(transaction, userId, references, [columns]))(columns)
}

/** The same for many rows at once: what it returns says it of each. */
export async function lockReferencesOfMany(
  transaction: Queryable,
  userId: string,
  references: readonly Reference[],
  rows: readonly ColumnValues[],
): Promise<(columns: ColumnValues) => Error | undefined> {
  const found = new Set<string>()
  for (const { column, table } of references) {
    const ids = [...new Set(rows.flatMap((columns) => idsIn(columns[column])))]
    if (ids.length === 0) continue
    const there = await transaction.query<{ id: string }>({
      name: `${table}.lock-references`,
      isPrepared: true,
      text: `select id from ${table} where id = any($2::uuid[]) and ${isOf(table, '$1')} order by id for key share`,
      values: [userId, ids],
    })
    for (const { id } of there) found.add(`${table} ${id}`)
  }
  return (columns) => {
    for (const { column, table } of references) {
      const missing = idsIn(columns[column]).filter((id) => !found.has(`${table} ${id}`))
      if (missing.length > 0) return new InvalidReferenceError(column, missing.slice(0, MOST_NAMED).join(', '))
    }
    return undefined
  }
}

/** The tags of every row that these columns refer to. */
export function tagsOfReferences(
  userId: string,
  references: readonly Reference[],
  columns: ColumnValues,
): readonly string[] {
  return references.flatMap(({ column, table }) => idsIn(columns[column]).map((id) => rowTag(table, userId, id)))
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? [value] : []
}
