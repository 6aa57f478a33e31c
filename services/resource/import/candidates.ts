import type { Queryable } from '../../database/database.js'
import type { ColumnValues } from '../sql/columns.js'
import type { ResourceDefinition } from '../definition.js'
import { EXTERNAL_ID, hasKey, keyColumns, keyValues, oldest } from './key-lookup.js'
import { type Placed, recordset, recordsOf } from '../sql/recordset.js'

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

/** Of several rows with one natural key so many are compared in full, and named when none is equal. */
export const MOST_NAMED = 10

/**
 * The rows that lines may mean: by the id that they keep, by external_id, and by their natural key.
 */
export async function candidatesOf(
  transaction: Queryable,
  definition: ResourceDefinition,
  userId: string,
  lines: readonly Sought[],
): Promise<readonly Candidate[]> {
  const { name, columns, naturalKey = [] } = definition
  const key = keyColumns(columns, naturalKey)
  const values = lines.map(({ nth, id, columns: given }) => {
    return { nth, columns: { id, external_id: given['external_id'], ...keyValues(key, given) } }
  })
  const ways = [
    `(select id, user_id, 'id' as found_by from ${name} there where id = line.id)`,
    `(select id, user_id, 'external_id' from ${name} there where ${hasKey('there', 'line', EXTERNAL_ID)} ${oldest(1)})`,
    // A row that has another external_id is another row, whatever it is called.
    ...(naturalKey.length === 0
      ? []
      : [
          `(select id, user_id, 'natural_key' from ${name} there where line.id is null and ${hasKey('there', 'line', key)}
          and (line.external_id is null or there.external_id is null) ${oldest(MOST_NAMED)})`,
        ]),
  ]
  return transaction.query<Candidate>({
    name: `${name}.import-candidates`,
    text: `select line."#nth" as nth, found.id, found.user_id, found.found_by
      from ${recordset('$2', 'line', { id: 'uuid', external_id: 'text', ...key })}
      cross join lateral (${ways.join(' union all ')}) as found`,
    values: [userId, recordsOf(values)],
  })
}
