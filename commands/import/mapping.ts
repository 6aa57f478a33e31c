import { readFileSync } from 'node:fs'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { shopNames, shops } from './shops.js'

const strict = { additionalProperties: false }
const Texts = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

/** How the value of one field is made of a row of CSV. What comes out empty is left out. */
const Rule = Type.Recursive((Rule) =>
  Type.Union([
    /** The text of a column. */
    Type.String({ minLength: 1 }),
    Type.Object(
      {
        /** A column, or several of which the first is taken that is not empty. */
        column: Type.Union([Type.String({ minLength: 1 }), Texts]),
        /** The list of what stands between these. */
        split: Type.Optional(Type.String({ minLength: 1 })),
        /** A text that holds this is several, and counts as empty. */
        single: Type.Optional(Type.String({ minLength: 1 })),
        /** What stands behind the last slash of a path or URL, or before it. */
        part: Type.Optional(Type.Union([Type.Literal('name'), Type.Literal('folder')])),
        as: Type.Optional(Type.Union([Type.Literal('integer'), Type.Literal('number'), Type.Literal('boolean')])),
        /** For `boolean`: these texts are true, in any case of their letters; all others are false. */
        true: Type.Optional(Texts),
        /** The list of what the lines of a group have, each once. */
        each: Type.Optional(Type.Boolean()),
        /** A list is cut off after so many. */
        most: Type.Optional(Type.Integer({ minimum: 1 })),
        /** What an empty one is. */
        otherwise: Type.Optional(Type.Unknown()),
      },
      strict,
    ),
    /** The list of several columns, without empty ones. */
    Type.Object({ columns: Texts }, strict),
    /** The same for every row. */
    Type.Object({ value: Type.Unknown() }, strict),
    /** What the command line says: `--currency`. */
    Type.Object({ option: Type.Literal('currency') }, strict),
    /** A price: left out without an amount. An amount without a currency is a fault where `option` is not the rule. */
    Type.Object({ amount: Rule, currency: Rule }, strict),
    /** An object; with `each` a list of them, one for each line of a group. */
    Type.Object({ fields: Type.Record(Type.String(), Rule), each: Type.Optional(Type.Boolean()) }, strict),
  ]),
)

const MappingFile = Type.Unsafe<Mapping>(
  Type.Object(
    {
      /** What each row becomes: `template`. */
      kind: Type.String({ minLength: 1 }),
      /** Found out when it is left out: a comma, a semicolon or a tab. */
      delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1, pattern: '^[^"\\n\\r]$' })),
      /** A column: lines that have the same in it as the line before, or nothing, are of one row. */
      group: Type.Optional(Type.String({ minLength: 1 })),
      fields: Type.Record(Type.String(), Rule),
    },
    strict,
  ),
)

export type Rule =
  | string
  | {
      readonly column: string | readonly string[]
      readonly split?: string
      readonly single?: string
      readonly part?: 'name' | 'folder'
      readonly as?: 'integer' | 'number' | 'boolean'
      readonly true?: readonly string[]
      readonly each?: boolean
      readonly most?: number
      readonly otherwise?: unknown
    }
  | { readonly columns: readonly string[] }
  | { readonly value: unknown }
  | { readonly option: 'currency' }
  | { readonly amount: Rule; readonly currency: Rule }
  | { readonly fields: Readonly<Record<string, Rule>>; readonly each?: boolean }

export interface Mapping {
  readonly kind: string
  readonly delimiter?: string
  readonly group?: string
  readonly fields: Readonly<Record<string, Rule>>
  /**
   * All columns in their order, for files that name them in another language. Such a file has as many, and the same numbers stand in
   * their names. Only for mappings that come along.
   */
  readonly layouts?: readonly (readonly string[])[]
  /** Of the command line. */
  readonly currency?: string | undefined
}

/**
 * A mapping that comes along, or one in a JSON file.
 * @throws Error that says what is wrong with the file
 */
export function readMapping(nameOrPath: string, currency: string | undefined): Mapping {
  const shop = Object.hasOwn(shops, nameOrPath) ? shops[nameOrPath] : undefined
  if (shop !== undefined) return { ...shop, currency }
  const value = parsed(nameOrPath)
  if (Value.Check(MappingFile, value)) return { ...value, currency }
  const [fault] = Value.Errors(MappingFile, value)
  throw new Error(`${nameOrPath}: ${fault?.path || 'it'} is no mapping (docs/import.md): ${fault?.message}`)
}

function parsed(path: string): unknown {
  let text: string
  try {
    // Composed, as the names of columns are that it names.
    text = readFileSync(path, 'utf8')
      .replace(/^\uFEFF/, '')
      .normalize('NFC')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`--mapping must be ${shopNames.join(', ')} or a file: ${why}`, { cause: error })
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
