import type { ResourceDefinition } from './definition.js'
import { listIndexesOf } from './lists/indexes.js'
import { referencesOf } from './sql/references.js'

/** Columns stand in SQL without quotes: the database takes no other name as it is, and none of these is one of its own names for what is no column. */
const COLUMN = /^[a-z_][a-z0-9_]*$/

/**
 * The definitions as they are, once they do not contradict themselves or each other: asked before any table is made or read.
 * @throws Error for a reference to what is no resource or stands later, a list's filter, search or order by what is no column or not of such a type,
 * and a column that can't be called so
 */
export function checked(definitions: readonly ResourceDefinition[]): readonly ResourceDefinition[] {
  for (const definition of definitions) {
    const wrong = Object.keys(definition.columns).find((column) => !COLUMN.test(column))
    if (wrong !== undefined)
      throw new Error(
        `${definition.name}: a column can not be called ${wrong}: its name is lower-case letters, digits and underscores`,
      )
    referencesOf(definition, definitions)
    listIndexesOf(definition)
  }
  return definitions
}
