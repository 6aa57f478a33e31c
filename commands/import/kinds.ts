import { resources } from '../../services/domains.js'
import type { ResourceDefinition } from '../../services/resource/definition.js'
import { externalField } from '../../services/resource/external-field.js'

/** What a line can be: the name of a resource (`designs`), or `users`. In the order to write them: what a row names is written before it. */
export type Kind = string

export const USERS: Kind = 'users'

export const kinds: readonly Kind[] = resources.map(({ name }) => name)

const byWord: ReadonlyMap<string, Kind> = new Map([
  ['user', USERS],
  [USERS, USERS],
  ...resources.flatMap(({ name, kind }) => [[name, name] as const, [kind, name] as const]),
])

/** The kind that `design` or `designs` names. */
export function kindNamed(word: unknown): Kind | undefined {
  return typeof word === 'string' ? byWord.get(word) : undefined
}

/** The column that tells what a line is. */
function tellingField({ naturalKey = [] }: ResourceDefinition): string | undefined {
  return naturalKey.at(-1)
}

/** What a line must have to be recognised: `templates (name), designs (filename), mockups (name)`. */
export const recognised = resources
  .flatMap((definition) => {
    const field = tellingField(definition)
    return field === undefined ? [] : [`${definition.name} (${field})`]
  })
  .join(', ')

/**
 * Which kind a line is: its field `kind` says so, or else its other fields. Of the resources whose telling field it has, that one of
 * whose required fields it has most.
 */
export function kindOf(value: unknown): Kind | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if ('kind' in value) return kindNamed(value.kind)
  const fits = resources
    .filter((definition) => (tellingField(definition) ?? '') in value)
    .map(({ name, schemas, references = {} }) => {
      const isThere = (field: string): boolean =>
        field in value || (field in references && externalField(field) in value)
      return { name, has: (schemas.creation.required ?? []).filter(isThere).length }
    })
    .sort((a, b) => b.has - a.has)
  return fits[0]?.name
}
