import { Type, type Static, type TProperties, type TSchema } from '@sinclair/typebox'
import { lenient } from './leniency.js'

/** A non-empty string of at most `maxLength` characters. What no database stores never gets as far: services/texts.ts. */
export const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength })

/** A key of the caller's own. It is a part of a path, where `.` and `..` can't stand. */
export const ExternalId = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^(?!\\.{1,2}$)',
  description: 'a text other than . and ..',
})

/** plugins/http/validation.ts narrows the format: 36 characters, no `urn:uuid:` prefix. */
export const Uuid = Type.String({ format: 'uuid' })

export const Timestamp = Type.String({ format: 'date-time' })

/** Years that both JavaScript and PostgreSQL read, and no leap second, which only one of them does. */
export const Instant = Type.String({
  format: 'date-time',
  pattern:
    '^(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$',
  description: 'a time from 1970 to 2999 with its zone, as in 2030-01-31T12:00:00Z',
})

/** One of a closed list of words. */
export const OneOf = <const Words extends readonly string[]>(words: Words) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: [...words] })

/** `schema` or null, as a type list: one check for the validator and one branch for the serializer. */
export const Nullable = <Schema extends TSchema>(schema: Schema) =>
  Type.Unsafe<Static<Schema> | null>({ ...schema, type: [schema['type'], 'null'] })

/** etsy, shopify, craftflow, or whatever else there is. */
export const Platform = Type.String({
  minLength: 1,
  maxLength: 50,
  pattern: '^[a-z0-9]+(?:[_-][a-z0-9]+)*$',
  description: 'etsy, shopify, craftflow, or another name in lower-case letters, digits, - and _',
  examples: ['etsy'],
})

/** Where a file lies: a path, a key of an object store or a URL. */
export const FilePath = Text(2_048)

/** Plain text or HTML: of the 213 that one shop had, 77 were longer than 5,000 characters. Where a character takes several bytes, a body ends before that. */
export const Description = Text(65_536)

export const Tags = Type.Array(Text(100), { maxItems: 100 })

/** The largest `metadata`, in bytes of JSON. */
export const MOST_METADATA_BYTES = 16_384

/** Fields of every resource that its caller may write: a key of their own, unique among their rows, and what has no field. */
const callersOwn = {
  external_id: Type.Optional(Nullable(ExternalId)),
  metadata: Type.Optional(Nullable(Type.Object({}, { additionalProperties: true, maxJsonBytes: MOST_METADATA_BYTES }))),
}

/** What every row of a resource carries before its own fields. */
export const identity = { id: Uuid, user_id: Uuid, version: Type.Integer({ minimum: 1 }) }

/** What every row carries after its own fields. */
export const timestamps = { created_at: Timestamp, updated_at: Timestamp }

/** The fields that only the service writes. A change may repeat them as they were read; services/resource/condition.ts compares. */
export const ofTheService = {
  id: Type.Optional(Type.Unknown()),
  user_id: Type.Optional(Type.Unknown()),
  version: Type.Optional(Type.Unknown()),
  created_at: Type.Optional(Type.Unknown()),
  updated_at: Type.Optional(Type.Unknown()),
}

/** Bodies and queries: an unknown field is a mistake of the caller, not noise. */
export const strict = { additionalProperties: false }

/** A partial change: at least one field. */
export const change = { additionalProperties: false, minProperties: 1 }

/** One page of a keyset list. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '50 by default' })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 800, description: 'next_cursor of the page before' })),
}

/** What every list of a resource can be asked for; `services/resource/lists/list-query.ts` reads it. */
const listQuery = {
  external_id: Type.Optional(ExternalId),
  updated_since: Type.Optional(Timestamp),
  total: Type.Optional(Type.Boolean()),
}

/** The most values of one filter. */
const MOST_VALUES = 20

/** A filter of an array: the key once for each value, all of which it must hold. */
export const AllOf = <Item extends TSchema>(item: Item) => Type.Array(item, { minItems: 1, maxItems: MOST_VALUES })

/** A filter of an array: one of the values is enough. */
const AnyOf = Type.String({
  pattern: `^[^,]+(,[^,]+){0,${MOST_VALUES - 1}}$`,
  maxLength: 2_100,
  description: `1 to ${MOST_VALUES} values, separated by commas`,
})

const UUID = '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'

/** At most 100 ids, comma-separated. */
export const Ids = Type.String({
  pattern: `^${UUID}(,${UUID}){0,99}$`,
  maxLength: 100 * 37,
  description: '1 to 100 ids, separated by commas',
})

/** The path of one row. */
export const ById = Type.Object({ id: Uuid }, strict)

/** The path of one row by its caller's own key. */
export const ByExternalId = Type.Object({ external_id: ExternalId }, strict)

/** The answer of every list. */
export const Page = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    next_cursor: Nullable(Type.String()),
    /** With `total=true`: how many rows the list has, or at least so many where that is not exact. */
    total: Type.Optional(Type.Integer({ minimum: 0 })),
    total_is_exact: Type.Optional(Type.Boolean()),
  })

/** The part of a definition that its query's schema tells of. */
interface Listing {
  readonly search?: readonly string[]
  readonly sorts?: Readonly<Record<string, string>>
}

/**
 * What the routes of a resource take and answer, from the fields that a caller may write. `filters` are what its list is
 * narrowed by; `listing` is a part of its definition.
 */
export function schemasOf<Fields extends TProperties, Filters extends TProperties>(
  fields: Fields,
  filters: Filters,
  { search = [], sorts = {} }: Listing = {},
) {
  const own = Type.Object({ ...fields, ...callersOwn })
  const taken = lenient(own.properties)
  const words = ['created', 'updated', ...Object.keys(sorts)].flatMap((word) => [word, `-${word}`])
  const arrays = Object.keys(filters).filter((name) => filters[name]?.['type'] === 'array')
  const any = Object.fromEntries(arrays.map((name) => [`any_${name}`, AnyOf]))
  const query = {
    ...pageQuery,
    ids: Type.Optional(Ids),
    ...listQuery,
    sort: Type.Optional(OneOf(words)),
    ...(search.length > 0 && { q: Type.Optional(Text(200)) }),
    ...Type.Partial(Type.Object({ ...filters, ...any })).properties,
  }
  return {
    creation: Type.Object(taken, strict),
    replacement: Type.Object({ ...taken, ...ofTheService }, strict),
    change: Type.Object({ ...Type.Partial(Type.Object(taken)).properties, ...ofTheService }, change),
    item: Type.Object({ ...identity, ...Type.Required(own).properties, ...timestamps }),
    query: Type.Object(query, strict),
  }
}
