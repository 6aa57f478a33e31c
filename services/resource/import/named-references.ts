import type { Queryable } from '../../database/database.js'
import { InvalidReferenceError } from '../../errors.js'
import type { ColumnValues } from '../sql/columns.js'
import { isOf } from '../sql/owner.js'
import type { Reference } from '../sql/references.js'
import { EXTERNAL_ID, hasKey, oldest } from './key-lookup.js'
import type { ImportMode } from './importer.js'
import { isPlannedId, type PlannedRows } from './planned-rows.js'
import { type Names, UNKNOWN_ID } from './row.js'

interface Referring {
  readonly columns: ColumnValues
  /** In which ids stand in the places of their names: columns have each once. */
  readonly body: Readonly<Record<string, unknown>>
  readonly names: Names
}

/** The columns with the ids of what they refer to, or why not: all that is wrong with them. */
export interface Resolved {
  readonly columns: ColumnValues
  readonly reasons: readonly string[]
  /** All that is wrong is that rows are missing. */
  readonly isEarly: boolean
}

/** How many ids a reason names at most. */
const MOST_NAMED = 10

/** What rows refer to is held until the transaction ends, in the order in which all writers lock it. */
export async function resolveReferences(
  transaction: Queryable,
  userId: string,
  references: readonly Reference[],
  rows: readonly Referring[],
  { planned, formerIds }: Pick<ImportMode, 'planned' | 'formerIds'> = {},
): Promise<readonly Resolved[]> {
  const resolved = rows.map(({ columns }): { columns: ColumnValues; reasons: string[]; isEarly: boolean } => ({
    columns,
    reasons: [],
    isEarly: true,
  }))
  for (const { column, table } of references) {
    const wanted = rows.map(({ body, names }) => elementsOf(body[column], names[column]))
    if (wanted.every(({ length }) => length === 0)) continue
    const elements = wanted.flat()
    const idOf = await idsByName(
      transaction,
      table,
      userId,
      elements.flatMap(({ name }) => name ?? []),
    )
    const given = [...new Set(elements.map(({ id }) => id).filter((id) => id !== UNKNOWN_ID))]
    const became = new Map(given.map((id) => [id, formerIds?.get(table, userId, id)]))
    const ids = [...given, ...idOf.values(), ...[...became.values()].flatMap((id) => id ?? [])]
    const found = await lockIds(transaction, table, userId, [...new Set(ids)])
    const isThere = (id: string | undefined): id is string => id !== undefined && (found.has(id) || isPlannedId(id))
    for (const [index, row] of resolved.entries()) {
      const chosen: string[] = []
      const missing: string[] = []
      for (const { id, name } of wanted[index] ?? []) {
        const named = name === undefined ? undefined : idOf.get(name)
        const own = found.has(id) ? id : undefined
        if (own !== undefined && named !== undefined && own !== named) {
          row.reasons.push(`${column} (${id}) is not the row that has the external_id (${name})`)
          row.isEarly = false
        }
        const there = own ?? (named !== undefined && found.has(named) ? named : undefined)
        const one = there ?? plannedId(planned, table, userId, id, name) ?? [became.get(id)].find(isThere)
        if (one !== undefined) chosen.push(one)
        else missing.push(id === UNKNOWN_ID ? (name ?? id) : id)
      }
      if (missing.length > 0) {
        row.reasons.push(new InvalidReferenceError(column, missing.slice(0, MOST_NAMED).join(', ')).message)
      }
      const given = row.columns[column]
      if (chosen.length > 0) {
        row.columns = { ...row.columns, [column]: Array.isArray(given) ? [...new Set(chosen)] : chosen[0] }
      }
    }
  }
  return resolved
}

interface Element {
  readonly id: string
  readonly name: string | undefined
}

function elementsOf(value: unknown, names: Names[string] | undefined): readonly Element[] {
  const ids = [value].flat().flatMap((id) => (typeof id === 'string' ? id.toLowerCase() : []))
  const all = typeof names === 'string' ? [names] : (names ?? [])
  return ids.map((id, place) => ({ id, name: all[place] ?? undefined }))
}

async function idsByName(
  transaction: Queryable,
  table: string,
  userId: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map()
  const rows = await transaction.query<{ name: string; id: string }>({
    name: `${table}.import-names`,
    text: `select wanted.external_id as name, found.id from unnest($2::text[]) as wanted (external_id) cross join lateral (
        select id from ${table} there where ${hasKey('there', 'wanted', EXTERNAL_ID)} ${oldest(1)}) as found`,
    values: [userId, [...new Set(names)]],
  })
  return new Map(rows.map(({ name, id }) => [name, id]))
}

async function lockIds(
  transaction: Queryable,
  table: string,
  userId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await transaction.query<{ id: string }>({
    name: `${table}.lock-references`,
    text: `select id from ${table} where id = any($2::uuid[]) and ${isOf(table, '$1')} order by id for key share`,
    values: [userId, ids],
  })
  return new Set(rows.map(({ id }) => id))
}

/** Of a row that a dry run would have made. */
function plannedId(
  planned: PlannedRows | undefined,
  name: string,
  userId: string,
  id: string,
  externalId: string | undefined,
): string | undefined {
  if (planned === undefined) return undefined
  const byId = planned.idOf({ name }, userId, { by: 'id', key: id })
  if (byId !== undefined || externalId === undefined) return byId
  return planned.idOf({ name }, userId, { by: 'external_id', key: externalId })
}
