import { resources } from '../../services/domains.js'
import type { ResourceDefinition } from '../../services/resource/definition.js'
import { externalField } from '../../services/resource/external-field.js'
import { ofTheService } from '../../services/resource/schema.js'

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

/** Fields of an export that are no fields of a body. */
export const MARKS = ['kind', 'user_email']

/** A kind that a line may be, by its fields. */
interface Guess {
  readonly name: Kind
  readonly telling: string
  /** Fields of which a line has one or the other, each. */
  readonly required: readonly (readonly string[])[]
  readonly known: ReadonlySet<string>
}

function guessOf(definition: ResourceDefinition): readonly Guess[] {
  const { name, schemas, references = {} } = definition
  const telling = tellingField(definition)
  if (telling === undefined) return []
  const { properties, required = [] } = schemas.creation
  const named = Object.keys(references).map(externalField)
  return [
    {
      name,
      telling,
      required: required.map((field) => (field in references ? [field, externalField(field)] : [field])),
      known: new Set([...MARKS, ...Object.keys(ofTheService), ...named, ...Object.keys(properties)]),
    },
  ]
}

/**
 * Says which resource a line is that does not say it: of those whose telling field it has, one that knows all its fields, if there is one; else, or
 * of several, the one of whose required fields it has most; of these the one to which fewest fields are unknown.
 */
export function guesserAmong(definitions: readonly ResourceDefinition[]): (line: object) => Kind | undefined {
  const guesses = definitions.flatMap(guessOf)
  return (line) => {
    const fields = Object.keys(line)
    const fits = guesses
      .filter(({ telling }) => telling in line)
      .map(({ name, required, known }) => ({
        name,
        has: required.filter((either) => either.some((field) => field in line)).length,
        unknown: fields.filter((field) => !known.has(field)).length,
      }))
      .sort((a, b) => Math.sign(a.unknown) - Math.sign(b.unknown) || b.has - a.has || a.unknown - b.unknown)
    return fits[0]?.name
  }
}

const guess = guesserAmong(resources)

/** Which kind a line is: its field `kind` says so, or else it is guessed by its other fields. */
export function kindOf(line: object): { readonly kind: Kind | undefined; readonly isGuessed: boolean } {
  return 'kind' in line ? { kind: kindNamed(line.kind), isGuessed: false } : { kind: guess(line), isGuessed: true }
}
