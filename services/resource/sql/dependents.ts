import type { Queryable } from '../../database/database.js'
import type { ResourceDefinition } from '../definition.js'

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
  const rows = await transaction.query<{ id: string }>({
    name: `${dependent.table}.referring`,
    text: `select id from ${dependent.table} where user_id = $1::uuid and ${refersTo(dependent, '$2')}
      order by id limit $3::integer`,
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

/** Rows are locked in id order first: two deletes that meet in the same rows would deadlock otherwise. */
async function forget(
  transaction: Queryable,
  userId: string,
  ids: readonly string[],
  dependent: Dependent,
): Promise<void> {
  const { table, column, isList } = dependent
  await transaction.query({
    name: `${table}.forget`,
    text: `with referring as (
        select id from ${table} where user_id = $1::uuid and ${refersTo(dependent, '$2')} order by id for update
      )
      update ${table} set ${column} = ${isList ? without(`${table}.${column}`) : 'null'}
      from referring where ${table}.id = referring.id`,
    values: [userId, ids],
  })
}

function without(list: string): string {
  return `array(select id from unnest(${list}) with ordinality as kept (id, nth) where id <> all($2::uuid[]) order by nth)`
}

function refersTo({ column, isList }: Dependent, place: string): string {
  return isList ? `${column} && ${place}::uuid[]` : `${column} = any(${place}::uuid[])`
}
