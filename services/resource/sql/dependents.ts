import type { Queryable } from '../../database/database.js'
import type { ResourceDefinition } from '../definition.js'
import { isOf } from './owner.js'
import { inSteps } from './steps.js'

/** Rows of another resource that refer to a row: what happens to them when it changes or goes. */
export interface Dependent {
  readonly table: string
  readonly column: string
  /** The column is an array of ids. */
  readonly isList: boolean
  /** `refuse`: the row can't be deleted while one refers to it. `forget`: they lose the reference. */
  readonly onDelete: 'refuse' | 'forget'
}

/** What refers to rows of `definition`, in lock order: that of `resources`. */
export function dependentsOf(
  { name }: ResourceDefinition,
  resources: readonly ResourceDefinition[],
): readonly Dependent[] {
  return resources.flatMap(({ name: table, columns, references = {} }) =>
    Object.entries(references)
      .filter(([, { to }]) => to === name)
      .map(([column, { onDelete }]) => ({ table, column, isList: columns[column] === 'uuid[]', onDelete })),
  )
}

/** Ids of at most `limit` rows that refer to one of `ids`. */
export async function idsReferringTo(
  transaction: Queryable,
  userId: string,
  ids: readonly string[],
  dependent: Dependent,
  limit: number,
): Promise<string[]> {
  const { table, column, isList } = dependent
  // The planner does not know how long the array is, and the order is that of the column's own index: it takes that one, and reads no other row.
  const first = `select id from ${table} where ${isOf(table, '$1')} and ${column} = any((select $2::uuid[])::uuid[])
    order by ${column} limit $3::integer`
  const rows = await transaction.query<{ id: string }>({
    name: `${table}.referring`,
    text: `select id from (${isList ? referring(dependent) : first}) as referring order by id limit $3::integer`,
    values: [userId, ids, limit],
  })
  return rows.map((row) => row.id)
}

/** Takes `ids` out of every row that may forget them; their own triggers move their versions and raise their tags. */
export async function forgetReferences(
  transaction: Queryable,
  userId: string,
  ids: readonly string[],
  dependents: readonly Dependent[],
): Promise<void> {
  for (const dependent of dependents) {
    if (dependent.onDelete === 'forget') await forget(transaction, userId, ids, dependent)
  }
}

/** Rows are locked in id order: two deletes that meet in the same rows would deadlock otherwise. */
function forget(transaction: Queryable, userId: string, ids: readonly string[], dependent: Dependent): Promise<void> {
  const { table, column, isList } = dependent
  return inSteps(transaction, {
    name: `${table}.forget`,
    values: [userId, ids],
    table,
    ids: (from) => `select id from (${referring(dependent)}) as referring where id >= ${from} order by id`,
    condition: refersTo(dependent, '$2'),
    work: `update ${table} set ${column} = ${isList ? without(column) : 'null'} where id = any(array(select id from locked))`,
  })
}

/** Ids of the rows of $1 that refer to $2. Kept apart: with a limit the planner would hope to meet some early on in the order of the ids. */
function referring(dependent: Dependent): string {
  const { table } = dependent
  return `select id from ${table} where ${isOf(table, '$1')} and ${refersTo(dependent, '$2')} offset 0`
}

function without(list: string): string {
  return `array(select id from unnest(${list}) with ordinality as kept (id, nth) where id <> all($2::uuid[]) order by nth)`
}

function refersTo({ column, isList }: Dependent, place: string): string {
  return isList ? `${column} && ${place}::uuid[]` : `${column} = any(${place}::uuid[])`
}
