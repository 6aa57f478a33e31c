import { type Columns, isJson } from './columns.js'

/** Rows of a batch by their place in it. */
export interface Placed {
  readonly nth: number
}

/** One parameter for all rows of a batch: `json_to_recordset(<place>::json) as <alias> (nth integer, …)`. JSON is text in it: see {@link cell}. */
export function recordset(place: string, alias: string, columns: Columns): string {
  const fields = Object.entries(columns).map(([name, type]) => `${name} ${isJson(type) ? 'text' : type}`)
  return `json_to_recordset(${place}::json) as ${alias} (${['nth integer', ...fields].join(', ')})`
}

/** A column of a {@link recordset} in its own type. */
export function cell(alias: string, name: string, types: Columns): string {
  return isJson(types[name]) ? `${alias}.${name}::${types[name]}` : `${alias}.${name}`
}

/** Rows by what they name, of all that is known: one statement can be about those that name the same. */
export function byNames<Row>(
  known: Columns,
  rows: readonly Row[],
  isNamed: (row: Row, name: string) => boolean,
): readonly (readonly [types: Columns, rows: readonly Row[]])[] {
  const groups = new Map<string, { readonly types: Columns; readonly alike: Row[] }>()
  for (const row of rows) {
    const types = Object.entries(known).filter(([name]) => isNamed(row, name))
    const names = types.map(([name]) => name).join(',')
    const group = groups.get(names)
    if (group === undefined) groups.set(names, { types: Object.fromEntries(types), alike: [row] })
    else group.alike.push(row)
  }
  return [...groups.values()].map(({ types, alike }) => [types, alike])
}
