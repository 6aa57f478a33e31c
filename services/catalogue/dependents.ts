import { tags } from '../cache-map.js'
import type { Queryable } from '../database/database.js'

/** Rows of another owned table that refer to a row: what happens to them when it changes or goes. */
export interface Dependent {
  readonly table: string
  readonly column: string
  /** The column is an array of ids. */
  readonly isList: boolean
  /** `refuse`: the row can't be deleted while one refers to it. `forget`: they lose the reference. */
  readonly onDelete: 'refuse' | 'forget'
  readonly tag: (userId: string, id: string) => string
  readonly listTag: (userId: string) => string
}

/** Above this many dependents one tag of the owner stands for all of them: the write stays small, the owner re-reads. */
const MOST_TAGS = 1000

/** Ids of at most `limit` rows that refer to `id`. */
export async function idsReferringTo(
  transaction: Queryable,
  userId: string,
  id: string,
  dependent: Dependent,
  limit: number,
): Promise<string[]> {
  const rows = await transaction.query<{ id: string }>({
    name: `${dependent.table}.referring`,
    text: `select id from ${dependent.table} where user_id = $1::uuid and ${refersTo(dependent, '$2')}
      order by id limit $3::integer`,
    values: [userId, id, limit],
  })
  return rows.map((row) => row.id)
}

/** The tags of every row that shows `id`, which is about to change. */
export async function tagsOfDependents(
  transaction: Queryable,
  userId: string,
  id: string,
  dependents: readonly Dependent[],
): Promise<string[]> {
  const found: string[] = []
  for (const dependent of dependents) {
    const ids = await idsReferringTo(transaction, userId, id, dependent, MOST_TAGS + 1 - found.length)
    found.push(...ids.map((dependentId) => dependent.tag(userId, dependentId)))
    if (found.length > MOST_TAGS) return [tags.owner(userId)]
  }
  return found
}

/**
 * Takes `id` out of every row that may forget it and moves their versions.
 * @returns the tags of those rows and of the lists they are in
 */
export async function forgetReferences(
  transaction: Queryable,
  userId: string,
  id: string,
  dependents: readonly Dependent[],
): Promise<string[]> {
  const raised: string[] = []
  for (const dependent of dependents.filter(({ onDelete }) => onDelete === 'forget')) {
    const ids = await forget(transaction, userId, id, dependent)
    if (ids.length === 0) continue
    raised.push(dependent.listTag(userId), ...ids.map((changed) => dependent.tag(userId, changed)))
  }
  return raised.length > MOST_TAGS ? [tags.owner(userId)] : raised
}

/** Rows are locked in id order first: two deletes that meet in the same rows would deadlock otherwise. */
async function forget(transaction: Queryable, userId: string, id: string, dependent: Dependent): Promise<string[]> {
  const { table, column, isList } = dependent
  const rows = await transaction.query<{ id: string }>({
    name: `${table}.forget`,
    text: `with referring as (
        select id from ${table} where user_id = $1::uuid and ${refersTo(dependent, '$2')} order by id for update
      )
      update ${table} set ${column} = ${isList ? `array_remove(${table}.${column}, $2::uuid)` : 'null'},
        version = version + 1, updated_at = now()
      from referring where ${table}.id = referring.id returning ${table}.id`,
    values: [userId, id],
  })
  return rows.map((row) => row.id)
}

function refersTo({ column, isList }: Dependent, place: string): string {
  return isList ? `${column} @> array[${place}::uuid]` : `${column} = ${place}::uuid`
}
