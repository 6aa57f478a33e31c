import { type Columns, type ColumnValues, isJson } from './columns.js'

/** Rows of a batch by their place in it. */
export interface Placed {
  readonly nth: number
}

/**
 * One parameter for all rows of a batch: `json_to_recordset(<place>::json) as <alias> ("#nth" integer, …)`, for {@link recordsOf}. JSON is text in it:
 * see {@link cell}.
 */
export function recordset(place: string, alias: string, columns: Columns): string {
  const fields = Object.entries(columns).map(([name, type]) => `${name} ${isJson(type) ? 'text' : type}`)
  return `json_to_recordset(${place}::json) as ${alias} (${['"#nth" integer', ...fields].join(', ')})`
}

/** The parameter of a {@link recordset}. */
export function recordsOf(rows: readonly (Placed & { readonly columns: ColumnValues })[]): string {
  return JSON.stringify(rows.map(({ nth, columns }) => ({ ...columns, '#nth': nth })))
}

/** A column of a {@link recordset} in its own type. */
export function cell(alias: string, name: string, types: Columns): string {
  return isJson(types[name]) ? `${alias}.${name}::${types[name]}` : `${alias}.${name}`
}
