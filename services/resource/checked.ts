import type { ResourceDefinition } from './definition.js'
import { listIndexesOf } from './lists/indexes.js'
import { referencesOf } from './sql/references.js'

/** Columns stand in SQL without quotes: the database takes no other name as it is, and none of these is one of its own names for what is no column. */
const COLUMN = /^[a-z_][a-z0-9_]*$/

/**
 * The definitions as they are, once they do not contradict themselves or each other: asked before any table is made or read.
 * @throws Error for a reference to what is no resource or stands later, a list's filter, search or order by what is no column or not of such a type,
 * a reference or a natural key by what is no column or no id, and a column that can't be called so
 */
export function checked(definitions: readonly ResourceDefinition[]): readonly ResourceDefinition[] {
  for (const definition of definitions) {
    const wrong = Object.keys(definition.columns).find((column) => !COLUMN.test(column))
    if (wrong !== undefined)
      throw new Error(
        `${definition.name}: a column can not be called ${wrong}: its name is lower-case letters, digits and underscores`,
      )
    for (const column of Object.keys(definition.references ?? {})) {
      const type = definition.columns[column]
      if (type === 'uuid' || type === 'uuid[]') continue
      throw new Error(`${definition.name}.${column} can not refer to rows: ${type ?? 'there is no such column'}`)
    }
    for (const column of definition.naturalKey ?? []) {
      if (column in definition.columns) continue
      throw new Error(`${definition.name}: rows can not be told apart by ${column}: there is no such column`)
    }
    referencesOf(definition, definitions)
    listIndexesOf(definition)
  }
  return definitions
}
