import { columnValues, type ColumnValues, DEFAULT } from './sql/columns.js'
import type { ResourceDefinition } from './definition.js'
import { cleanerOf, isNullable } from './leniency.js'

/** What makes of a body of this resource the values of columns. Null for what can't be null asks for the default. */
export function bodyColumnsOf({
  columns,
  schemas,
  toColumns,
}: ResourceDefinition): (body: Readonly<Record<string, unknown>>) => ColumnValues {
  const clean = cleanerOf(schemas.item, schemas.creation.required)
  const fields = Object.entries(schemas.item.properties)
  const withDefault = new Set(fields.flatMap(([name, schema]) => (isNullable(schema) ? [] : [name])))
  return (body) => {
    const cleaned = clean(body)
    const values = { ...columnValues(columns, toColumns?.(cleaned) ?? cleaned) }
    for (const name of Object.keys(values)) {
      if (values[name] === null && withDefault.has(name)) values[name] = DEFAULT
    }
    return values
  }
}
