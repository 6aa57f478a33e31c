import type { Queryable } from '../../database/database.js'
import type { ColumnValues, Columns } from '../columns.js'
import type { ResourceDefinition } from '../definition.js'
import { type Placed, recordset } from './row.js'

/** By what a row was found. */
type FoundBy = 'id' | 'external_id' | 'natural_key'

/** A row that may be the one that a line means. */
export interface Candidate extends Placed {
  readonly id: string
  readonly user_id: string
  readonly found_by: FoundBy
}

/** A line to look for. */
export interface Sought extends Placed {
  /** Of a line that keeps its id. */
  readonly id: string | undefined
  readonly columns: ColumnValues
}

/** Of several rows with one natural key it is enough to know of so many. */
const MOST_ALIKE = 10

/**
 * The rows that lines may mean: by the id that they keep, by external_id, and by their natural key. One index is asked for each line: the
 * planner would read all rows of a user it knows nothing of yet for `column = any(…)`.
 */
export async function candidatesOf(
  transaction: Queryable,
  definition: ResourceDefinition,
  userId: string,
  lines: readonly Sought[],
): Promise<readonly Candidate[]> {
  const { name, columns, naturalKey = [] } = definition
  const key: Columns = Object.fromEntries(naturalKey.map((column) => [column, columns[column] ?? 'text']))
  const values = lines.map(({ nth, id, columns: given }) => ({
    nth,
    id,
    external_id: given['external_id'],
    ...Object.fromEntries(naturalKey.map((column) => [column, given[column]])),
  }))
  const ways = [
    `(select id, user_id, 'id' as found_by from ${name} there where id = line.id)`,
    `(select id, user_id, 'external_id' from ${name} there where user_id = $1::uuid and external_id = line.external_id)`,
    // A row that has another external_id is another row, whatever it is called.
    ...(naturalKey.length === 0
      ? []
      : [
          `(select id, user_id, 'natural_key' from ${name} there where line.id is null and user_id = $1::uuid
          and ${hash('there', key)} = ${hash('line', key)} and ${fields('there', key)} is not distinct from ${fields('line', key)}
          and (line.external_id is null or there.external_id is null) limit ${MOST_ALIKE})`,
        ]),
  ]
  return transaction.query<Candidate>({
    name: `${name}.import-candidates`,
    text: `select line.nth, found.id, found.user_id, found.found_by
      from ${recordset('$2', 'line', { id: 'uuid', external_id: 'text', ...key })}
      cross join lateral (${ways.join(' union all ')}) as found`,
    values: [userId, JSON.stringify(values)],
  })
}

/** As the index has it: {@link naturalKeyIndex}. */
function hash(alias: string, key: Columns): string {
  return `hash_record_extended(${fields(alias, key)}, 0)`
}

function fields(alias: string, key: Columns): string {
  return `row(${Object.keys(key)
    .map((column) => `${alias}.${column}`)
    .join(', ')})`
}
