import type { Queryable } from '../../database/database.js'
import { type Columns, type ColumnValues, isJson } from '../sql/columns.js'
import type { ResourceDefinition } from '../definition.js'
import { isOf } from './key-lookup.js'
import { type Difference, type Placed, recordset, SHOWN, type Since } from './row.js'

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
  for (const [names, alike] of byColumns(definition, pairs)) {
    const types = typesOf(definition, names)
    const shown = (value: string): string => `coalesce(left(to_json(${value})::text, ${SHOWN + 1}), 'null')`
    const rows = names.map((name) => {
      const [there, line] = [`there.${name}::${types[name]}`, cell('line', name, types)]
      return `('${name}', record_image_ne(row(${there}), row(${line})), ${shown(there)}, ${shown(line)})`
    })
    const text = `select line.nth, there.id, case when ${differs(names, types)} then (
          select json_agg(json_build_object('column', d.name, 'there', d.there, 'here', d.here))
          from (values ${rows.join(', ')}) as d (name, differs, there, here) where d.differs) end as differences,
        coalesce(there.updated_at >= $2::timestamptz or there.id >= $3::uuid, false) as is_new
      from ${recordset('$1', 'line', { id: 'uuid', ...types })}
      cross join lateral (select * from ${definition.name} where id = line.id limit 1) as there`
    const lines = JSON.stringify(alike.map(({ nth, id, columns }) => ({ nth, id, ...columns })))
    const values = [lines, since?.at ?? null, since?.id ?? null]
    compared.push(...(await transaction.query<Compared>({ name: `${definition.name}.import-compare`, text, values })))
  }
  return compared
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
  for (const [names, alike] of byColumns(definition, pairs)) {
    const types = typesOf(definition, names)
    const changes = names.map((name) => `${name} = ${cell('line', name, types)}`)
    await transaction.query({
      name: `${table}.import-update`,
      text: `update ${table} there set ${changes.join(', ')}
        from ${recordset('$1', 'line', { id: 'uuid', ...types })}
        where there.id = any($2::uuid[]) and there.id = line.id and ${differs(names, types)}`,
      values: [
        JSON.stringify(alike.map(({ nth, id, columns }) => ({ nth, id, ...columns }))),
        alike.map(({ id }) => id),
      ],
    })
  }
  return new Set(pairs.filter(({ id }) => there.has(id)).map(({ nth }) => nth))
}

/** In the declared types on both sides, as services/resource/sql/rows.ts does it. */
function differs(names: readonly string[], types: Columns): string {
  const there = names.map((name) => `there.${name}::${types[name]}`)
  const line = names.map((name) => cell('line', name, types))
  return `record_image_ne(row(${there.join(', ')}), row(${line.join(', ')}))`
}

function cell(alias: string, name: string, types: Columns): string {
  return isJson(types[name]) ? `${alias}.${name}::${types[name]}` : `${alias}.${name}`
}

function typesOf({ name, columns }: ResourceDefinition, names: readonly string[]): Columns {
  const types = names.map((column) => {
    const type = columns[column]
    if (type === undefined) throw new Error(`${name} declares no column ${column}`)
    return [column, type] as const
  })
  return Object.fromEntries(types)
}

function byColumns(
  { columns: known }: ResourceDefinition,
  pairs: readonly Pair[],
): readonly (readonly [names: readonly string[], pairs: readonly Pair[]])[] {
  const groups = new Map<string, Pair[]>()
  for (const pair of pairs) {
    const names = Object.keys(known)
      .filter((name) => name in pair.columns)
      .join(',')
    const group = groups.get(names)
    if (group === undefined) groups.set(names, [pair])
    else group.push(pair)
  }
  return [...groups].map(([names, group]) => [names.split(','), group])
}
