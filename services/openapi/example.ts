import type { JsonSchema } from './route.js'

/** Values by the name of a field or parameter, where a definition or schema brings some. */
export type Examples = Readonly<Record<string, unknown>>

const ID = '0199d3c4-7a51-7c3e-9f00-3d6f8b2a1c44'

const BY_FORMAT: Examples = {
  uuid: ID,
  'date-time': '2030-01-31T12:00:00Z',
  email: 'fox@example.com',
  currency: 'EUR',
  coordinate: 120,
}

/** Names that mean the same wherever they come. */
const BY_NAME: Examples = {
  ids: `${ID},0199d3c4-8f10-7d21-8a00-0b1c2d3e4f50`,
  external_id: 'sku-1042',
  metadata: { source: 'spring collection' },
}

/**
 * A value that fits `schema`: of `given`, of the schema's own `examples`, or made up. `undefined` where anything fits, and for a cursor,
 * which nobody can make up.
 */
export function exampleOf(schema: JsonSchema, name: string, given: Examples = {}): unknown {
  if (name in given) return given[name]
  const { examples, default: usual, const: only, enum: words, anyOf } = schema
  for (const values of [examples, words]) if (Array.isArray(values) && values.length > 0) return values[0]
  if (usual !== undefined) return usual
  if (only !== undefined) return only
  if (name === 'cursor') return undefined
  if (name in BY_NAME) return BY_NAME[name]
  if (Array.isArray(anyOf)) return exampleOf(anyOf[0], name, given)
  if (typeof schema['format'] === 'string' && schema['format'] in BY_FORMAT) return BY_FORMAT[schema['format']]
  return ofType(schema, name, given)
}

function ofType(schema: JsonSchema, name: string, given: Examples): unknown {
  const type = typeof schema.type === 'object' ? schema.type[0] : schema.type
  switch (type) {
    case 'boolean':
      return true
    case 'integer':
    case 'number':
      return Math.max(Number(schema['minimum'] ?? 1), 1)
    case 'string':
      return `A ${name.replaceAll('_', ' ')}`.slice(0, Number(schema['maxLength'] ?? 100))
    case 'array': {
      const item = exampleOf(schema.items ?? {}, name, {})
      return item === undefined ? [] : Array.from({ length: Number(schema['minItems'] ?? 1) }, () => item)
    }
    case 'object':
      return ofObject(schema, given)
    default:
      return undefined
  }
}

/** All fields that can be said; what is `{}` belongs to the service, and is only compared. */
function ofObject({ properties = {} }: JsonSchema, given: Examples): unknown {
  const fields = Object.entries(properties).map(([name, field]) => [name, exampleOf(field, name, given)] as const)
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
}
