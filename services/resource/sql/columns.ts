import type { TObject, TSchema } from '@sinclair/typebox'

/** SQL types that a column of a resource can have. */
export type SqlType =
  | 'text'
  | 'uuid'
  | 'boolean'
  | 'integer'
  | 'bigint'
  | 'double precision'
  | 'timestamptz'
  | 'jsonb'
  | 'json'
  | 'text[]'
  | 'uuid[]'

/**
 * Columns that a caller may write, with their SQL types. They go into SQL text as they stand here; values are always parameters. What a statement
 * has beside the columns of a row is called `"#…"`: without quotes, no column can be.
 */
export type Columns = Readonly<Record<string, SqlType>>

/** All columns of a resource's table, in the order in which rows are read. */
export function allColumns(columns: Columns): Columns {
  return {
    id: 'uuid',
    user_id: 'uuid',
    version: 'bigint',
    ...columns,
    created_at: 'timestamptz',
    updated_at: 'timestamptz',
  }
}

/** In place of a value: what the table gives to a row that names none. */
export const DEFAULT = Symbol('the default of the column')

/** Values for columns, by column name; a column that is not named keeps its value or gets its default. */
export type ColumnValues = Readonly<Record<string, unknown>>

/** One column for each field of a body, of the type that its schema suggests. Spread it, and name what is stored otherwise. */
export function columnsOf({ properties }: TObject): Columns {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, sqlTypeOf(schema)]))
}

function sqlTypeOf(schema: TSchema): SqlType {
  const [type] = [schema['type']].flat()
  if (type === 'string') return formatTypes[String(schema['format'])] ?? 'text'
  if (type === 'array') return arrayTypes[sqlTypeOf(schema['items'])] ?? 'jsonb'
  return plainTypes[String(type)] ?? 'jsonb'
}

const plainTypes: Readonly<Record<string, SqlType>> = {
  object: 'json',
  boolean: 'boolean',
  integer: 'integer',
  number: 'double precision',
}
const formatTypes: Readonly<Record<string, SqlType>> = { uuid: 'uuid', 'date-time': 'timestamptz' }
const arrayTypes: Readonly<Record<string, SqlType>> = { text: 'text[]', uuid: 'uuid[]' }

/**
 * A body as values of columns. Ids are in lower case, as the database gives them back, and once each in a list. JSON is text:
 * an array would reach the driver as an SQL array.
 */
export function columnValues(columns: Columns, body: Readonly<Record<string, unknown>>): ColumnValues {
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) values[name] = stored(columns[name], value)
  return values
}

function stored(type: SqlType | undefined, value: unknown): unknown {
  if (isJson(type)) return value === null ? null : JSON.stringify(value)
  if (type === 'uuid' && typeof value === 'string') return value.toLowerCase()
  if (type === 'uuid[]' && Array.isArray(value)) return [...new Set(value.map((id) => String(id).toLowerCase()))]
  return value
}

export function isJson(type: SqlType | undefined): boolean {
  return type === 'jsonb' || type === 'json'
}

/** The type of one element of an array type; the type itself otherwise. */
export function elementType(type: SqlType): string {
  return type.replace('[]', '')
}
