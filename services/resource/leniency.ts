import { OptionalKind, type TObject, type TProperties, type TSchema, TypeGuard } from '@sinclair/typebox'

/*
 * What spreadsheets, forms and other APIs write where they have nothing: an empty text or null for a field that may be left out, and blank
 * items in a list of texts. Bodies take it, and nothing is lost; rows are never answered so.
 */

/** `fields` of a body as it may come: {@link cleaned} makes of it what `fields` say. */
export function lenient<Fields extends TProperties>(fields: Fields): Fields {
  const taken = { ...fields }
  for (const [name, schema] of Object.entries(fields)) {
    Reflect.set(taken, name, OptionalKind in schema ? vacant(inner(schema)) : inner(schema))
  }
  return taken
}

function vacant(schema: TSchema): TSchema {
  const nullable = { ...schema, type: [...new Set([schema['type'], 'null'].flat())] }
  if (Array.isArray(schema['enum'])) return { ...nullable, enum: [...schema['enum'], null] }
  return isText(schema) ? { ...nullable, minLength: 0 } : nullable
}

/** The same for what a list or an object holds. */
function inner(schema: TSchema): TSchema {
  const { items, properties } = schema
  if (items !== undefined) return { ...schema, items: isText(items) ? { ...items, minLength: 0 } : inner(items) }
  return properties === undefined ? schema : { ...schema, properties: lenient(properties) }
}

/** A body with null for each empty text that may be left out, and without blank items. */
type Cleaner = (body: object) => Record<string, unknown>

/**
 * What cleans such bodies.
 * @param item as the row is answered
 * @param required fields of the body that may not be left out
 */
export function cleanerOf({ properties }: TObject, required: readonly string[] = []): Cleaner {
  const isVacated = (name: string, schema: TSchema): boolean => isText(schema) && !required.includes(name)
  const fields = Object.entries(properties)
  const vacated = new Set(fields.flatMap(([name, schema]) => (isVacated(name, schema) ? [name] : [])))
  const cleaners = new Map(fields.map(([name, schema]) => [name, valueCleanerOf(schema)]))
  return (body) => {
    const clean: Record<string, unknown> = { ...body }
    for (const [name, field] of Object.entries(clean)) {
      if (field === '' && vacated.has(name)) clean[name] = null
      else if (typeof field === 'object' && field !== null) clean[name] = cleaners.get(name)?.(field) ?? field
    }
    return clean
  }
}

/** The same for a field that is a list or an object, and for what it holds; `undefined` for a schema of anything else. */
function valueCleanerOf(schema: TSchema): ((value: object) => object) | undefined {
  if (TypeGuard.IsObject(schema)) {
    const clean = cleanerOf(schema, schema.required)
    return (value) => withoutNulls(schema, clean(value))
  }
  const items: TSchema | undefined = schema['items']
  if (items === undefined) return undefined
  if (isText(items)) return inList((list) => list.filter((item) => typeof item !== 'string' || item.trim() !== ''))
  const clean = valueCleanerOf(items)
  if (clean === undefined) return undefined
  return inList((list) => list.map((item) => (typeof item === 'object' && item !== null ? clean(item) : item)))
}

function inList(work: (list: readonly unknown[]) => unknown[]): (value: object) => object {
  return (value) => (Array.isArray(value) ? work(value) : value)
}

/** Inside of a field there is no default of the database's: what is not there is left out. */
function withoutNulls({ properties }: TObject, value: object): object {
  const fields = Object.entries(value)
  return Object.fromEntries(fields.filter(([name, field]) => field !== null || !isVacated(properties[name])))
}

function isVacated(schema: TSchema | undefined): boolean {
  return schema !== undefined && !isNullable(schema)
}

export function isNullable(schema: TSchema | undefined): boolean {
  return schema !== undefined && [schema['type']].flat().includes('null')
}

/** A text of any content. Another format is something that "" is not. */
function isText(schema: TSchema): boolean {
  return [schema['type']].flat()[0] === 'string' && schema['format'] === undefined && schema['enum'] === undefined
}
