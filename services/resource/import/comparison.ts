import type { Queryable } from '../../database/database.js'
import type { Columns, ColumnValues } from '../sql/columns.js'
import { isOf } from '../sql/owner.js'
import { cell, type Placed, recordset, recordsOf } from '../sql/recordset.js'
import type { ResourceDefinition } from '../definition.js'
import { hasKey, keyColumns, keyValues, oldest } from './key-lookup.js'
import { type Difference, SHOWN } from './row.js'
import { isWrittenSince, type Since } from './since.js'

/** A line and the row that it means, or may mean. */
export interface Pair extends Placed {
  readonly id: string
  readonly columns: ColumnValues
}

export interface Compared extends Placed {
  readonly id: string
  /** Null when the row holds all that the line names. */
  readonly differences: readonly Difference[] | null
  /** It was written since the moment that was given. */
  readonly is_new: boolean
}

/** Compares in the database, by bytes, as an update of the service does. One statement for lines that name the same columns. */
export async function comparePairs(
  transaction: Queryable,
  definition: ResourceDefinition,
  pairs: readonly Pair[],
  since: Since | undefined,
): Promise<readonly Compared[]> {
  const compared: Compared[] = []
  for (const [types, alike] of byColumns(definition, pairs)) {
    const shown = (value: string): string => `coalesce(left(to_json(${value})::text, ${SHOWN + 1}), 'null')`
    const rows = Object.keys(types).map((name) => {
      const [there, line] = [`there.${name}::${types[name]}`, cell('line', name, types)]
      return `('${name}', record_image_ne(row(${there}), row(${line})), ${shown(there)}, ${shown(line)})`
    })
    const text = `select line."#nth" as nth, there.id, case when ${differs(types)} then (
          select json_agg(json_build_object('column', d.name, 'there', d.there, 'here', d.here))
          from (values ${rows.join(', ')}) as d (name, differs, there, here) where d.differs) end as differences,
        ${isWrittenSince('there', '$2')} as is_new
      from ${recordset('$1', 'line', { id: 'uuid', ...types })}
      cross join lateral (select *, xmin from ${definition.name} where id = line.id limit 1) as there`
    const lines = recordsOf(alike.map(withId))
    const values = [lines, since?.xid ?? null]
    compared.push(...(await transaction.query<Compared>({ name: `${definition.name}.import-compare`, text, values })))
  }
  return compared
}

/** Of rows with one natural key so many are asked whether they are equal to a line: the cost of a batch is that of half a million rows at most. */
const MOST_ALIKE = 1_000

/**
 * Looks for a row that has the natural key of a line and holds all that it names, among the oldest thousand that have the key.
 * @returns the ids of those rows, by the places of the lines
 */
export async function equalAmongAlike(
  transaction: Queryable,
  definition: ResourceDefinition,
  userId: string,
  lines: readonly Omit<Pair, 'id'>[],
): Promise<ReadonlyMap<number, string>> {
  const { name: table, columns: known, naturalKey = [] } = definition
  const key = keyColumns(known, naturalKey)
  const equal = new Map<number, string>()
  for (const [types, alike] of byColumns(definition, lines)) {
    const values = alike.map(({ nth, columns }) => ({ nth, columns: { ...keyValues(key, columns), ...columns } }))
    const found = await transaction.query<Placed & { readonly id: string }>({
      name: `${table}.import-equal`,
      text: `select line."#nth" as nth, found.id from ${recordset('$2', 'line', { ...key, ...types })}
        cross join lateral (
          select there.id
          from (select * from ${table} alike where ${hasKey('alike', 'line', key)} ${oldest(MOST_ALIKE)}) as there
          where not ${differs(types)} limit 1
        ) as found`,
      values: [userId, recordsOf(values)],
    })
    for (const { nth, id } of found) equal.set(nth, id)
  }
  return equal
}

/**
 * Writes what differs, of the columns that each line names.
 * @returns the places of the lines whose row is still there, changed by now or not
 */
export async function updatePairs(
  transaction: Queryable,
  definition: ResourceDefinition,
  userId: string,
  pairs: readonly Pair[],
): Promise<ReadonlySet<number>> {
  const { name: table } = definition
  // In the order of ids, as every writer locks rows of one table.
  const locked = await transaction.query<{ id: string }>({
    name: `${table}.import-lock`,
    text: `select id from ${table} where id = any($1::uuid[]) and ${isOf(table, '$2')} order by id for no key update`,
    values: [pairs.map(({ id }) => id), userId],
  })
  const there = new Set(locked.map(({ id }) => id))
  for (const [types, alike] of byColumns(definition, pairs)) {
    const changes = Object.keys(types).map((name) => `${name} = ${cell('line', name, types)}`)
    await transaction.query({
      name: `${table}.import-update`,
      text: `update ${table} there set ${changes.join(', ')}
        from ${recordset('$1', 'line', { id: 'uuid', ...types })}
        where there.id = any($2::uuid[]) and there.id = line.id and ${differs(types)}`,
      values: [recordsOf(alike.map(withId)), alike.map(({ id }) => id)],
    })
  }
  return new Set(pairs.filter(({ id }) => there.has(id)).map(({ nth }) => nth))
}

/** With the id of its row among the columns. */
function withId({ nth, id, columns }: Pair): Omit<Pair, 'id'> {
  return { nth, columns: { id, ...columns } }
}

/** In the declared types on both sides, as services/resource/sql/rows.ts does it. */
function differs(types: Columns): string {
  const names = Object.keys(types)
  const there = names.map((name) => `there.${name}::${types[name]}`)
  const line = names.map((name) => cell('line', name, types))
  return `record_image_ne(row(${there.join(', ')}), row(${line.join(', ')}))`
}

/** One statement can be about lines that name the same columns. */
function byColumns<Line extends { readonly columns: ColumnValues }>(
  { columns: known }: ResourceDefinition,
  lines: readonly Line[],
): readonly (readonly [types: Columns, lines: readonly Line[]])[] {
  const groups = new Map<string, { readonly types: Columns; readonly alike: Line[] }>()
  for (const line of lines) {
    const types = Object.entries(known).filter(([name]) => name in line.columns)
    const names = types.map(([name]) => name).join(',')
    const group = groups.get(names)
    if (group === undefined) groups.set(names, { types: Object.fromEntries(types), alike: [line] })
    else group.alike.push(line)
  }
  return [...groups.values()].map(({ types, alike }) => [types, alike])
}
