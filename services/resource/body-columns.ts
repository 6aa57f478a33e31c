import { columnValues, type ColumnValues, DEFAULT } from './sql/columns.js'
import type { ResourceDefinition } from './definition.js'
import { cleaned, isNullable } from './leniency.js'

/** A body as values of columns. Null for what can't be null asks for the default. */
export function bodyColumns(
  { columns, schemas, toColumns }: ResourceDefinition,
  body: Readonly<Record<string, unknown>>,
): ColumnValues {
  const clean = cleaned(schemas.item, body, schemas.creation.required)
  const values = columnValues(columns, toColumns?.(clean) ?? { ...clean })
  const hasDefault = (name: string): boolean =>
    name in schemas.item.properties && !isNullable(schemas.item.properties[name])
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value === null && hasDefault(name) ? DEFAULT : value]),
  )
}
