import { Type, type TObject } from '@sinclair/typebox'
import { thoroughValidator } from '../../plugins/http/validation.js'
import { resources } from '../../services/domains.js'
import type { ResourceDefinition } from '../../services/resource/definition.js'
import { externalField } from '../../services/resource/external-field.js'
import { type ImportRow, UNKNOWN_ID } from '../../services/resource/import/row.js'
import { Instant, ofTheService, Uuid } from '../../services/resource/schema.js'
import { NewUser } from '../../services/users/schema.js'
import { type Finding, validationMessages } from '../../services/validation-message.js'
import { type Kind, MARKS, USERS } from './kinds.js'

/** What rows keep of where they come from: their id and version, their dates. */
export interface Kept {
  readonly ids: boolean
  readonly dates: boolean
}

/** Whose a row is, as its line says. */
export interface OwnerNamed {
  readonly id: string | undefined
  readonly email: string | undefined
}

export interface ReadLine {
  readonly owner: OwnerNamed
  readonly row: ImportRow
}

/** A reference, and the field that names it by external_id. */
interface NamedReference {
  readonly column: string
  readonly field: string
  readonly isList: boolean
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const names = Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Null()])

/** Makes rows of lines of one kind, and finds all that is wrong with them by the rules that hold for bodies of the API. */
export class LineReader {
  readonly #kind: string
  readonly #fields: ReadonlySet<string>
  readonly #references: readonly NamedReference[]
  readonly #kept: Kept
  readonly #validate: (value: unknown) => readonly Finding[]

  constructor(kind: Kind, kept: Kept) {
    const definition = resources.find(({ name }) => name === kind)
    if (definition === undefined && kind !== USERS) throw new Error(`There are no ${kind}`)
    const creation: TObject = definition?.schemas.creation ?? NewUser
    this.#kind = definition?.kind ?? 'user'
    this.#kept = kept
    this.#fields = new Set(Object.keys(creation.properties))
    this.#references = referencesOf(definition)
    this.#validate = thoroughValidator(schemaOf(creation, this.#references))
  }

  /** @returns all that is wrong with the value, when something is */
  read(value: object): ReadLine | readonly string[] {
    const line: Record<string, unknown> = { ...value }
    const owner = { id: textIn(line['user_id']), email: textIn(line['user_email']) }
    const formerId = this.#formerIdIn(line)
    for (const name of [...MARKS, 'user_id', ...this.#dropped()])
      if (!this.#fields.has(name)) Reflect.deleteProperty(line, name)
    for (const { column, field, isList } of this.#references) if (field in line) fillIn(line, column, field, isList)
    const findings = this.#validate(line)
    if (findings.length > 0) return validationMessages(this.#kind, findings)
    const uneven = this.#references.find(({ column, field }) => isUneven(line[column], line[field]))
    if (uneven !== undefined)
      return [`${this.#kind}: ${uneven.field} must name as many rows as ${uneven.column}, or none`]
    return { owner, row: { ...this.#rowOf(line), ...(formerId !== undefined && { formerId }) } }
  }

  #formerIdIn({ id }: Record<string, unknown>): string | undefined {
    if (this.#kept.ids || this.#fields.has('id') || typeof id !== 'string') return undefined
    return UUID.test(id) ? id.toLowerCase() : undefined
  }

  #dropped(): readonly string[] {
    const { ids, dates } = this.#kept
    return [...(ids ? [] : ['id', 'version']), ...(dates ? [] : ['created_at', 'updated_at'])]
  }

  #rowOf(line: Record<string, unknown>): ImportRow {
    const fields = Object.entries(line)
    const body = Object.fromEntries(fields.filter(([name]) => this.#fields.has(name)))
    const own = Object.fromEntries(fields.filter(([name]) => name in ofTheService && !this.#fields.has(name)))
    const named = this.#references.flatMap(({ column, field }) => {
      const value = line[field]
      return isNamed(value) ? [[column, value] as const] : []
    })
    return {
      body,
      ...(named.length > 0 && { names: Object.fromEntries(named) }),
      ...(Object.keys(own).length > 0 && { own: withLowerId(own) }),
    }
  }
}

function referencesOf(definition: ResourceDefinition | undefined): readonly NamedReference[] {
  const { references = {}, columns = {} } = definition ?? {}
  return Object.keys(references).map((column) => {
    return { column, field: externalField(column), isList: columns[column] === 'uuid[]' }
  })
}

function schemaOf(creation: TObject, references: readonly NamedReference[]): TObject {
  const own = {
    id: Type.Optional(Uuid),
    version: Type.Optional(Type.Integer({ minimum: 1 })),
    created_at: Type.Optional(Instant),
    updated_at: Type.Optional(Instant),
  }
  const named = references.map(({ field, isList }) => [
    field,
    Type.Optional(isList ? Type.Array(names, { maxItems: 100 }) : names),
  ])
  return Type.Object({ ...own, ...Object.fromEntries(named), ...creation.properties }, { additionalProperties: false })
}

/** Where only external_ids are given, ids that no row has stand for theirs, so that the rules of a body hold for both. */
function fillIn(line: Record<string, unknown>, column: string, field: string, isList: boolean): void {
  const value = line[field]
  if (value === null || column in line) return
  if (isList && Array.isArray(value)) line[column] = value.map(() => UNKNOWN_ID)
  else if (!isList) line[column] = UNKNOWN_ID
}

function isNamed(value: unknown): value is string | readonly (string | null)[] {
  return typeof value === 'string' || Array.isArray(value)
}

function isUneven(ids: unknown, names: unknown): boolean {
  return Array.isArray(ids) && Array.isArray(names) && ids.length !== names.length
}

function withLowerId(own: Record<string, unknown>): NonNullable<ImportRow['own']> {
  return { ...own, ...(typeof own['id'] === 'string' && { id: own['id'].toLowerCase() }) }
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
