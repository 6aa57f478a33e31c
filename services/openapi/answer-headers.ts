import { takesIdempotencyKey } from './errors.js'
import { isConditional, type JsonSchema, namesRow, type Route } from './route.js'

/** What an answer of a route carries beside its body, as names in `#/components/headers`. Every such answer has all of them, but for `Idempotency-Replayed`. */
export function answerHeaders(route: Route, status: number) {
  return references(status < 400 ? ofDone(route, status) : ofRefused(status))
}

function ofDone(route: Route, status: number): readonly string[] {
  const { method, of, schema, access } = route
  if (method === 'GET') {
    if (!isConditional(route)) return []
    // Lists of users and tokens are read from the database each time.
    return access !== undefined && (of !== undefined || namesRow(route)) ? ['ETag', 'Cache-Status'] : ['ETag']
  }
  if (of === undefined && schema.isWrite !== true) return []
  return [
    ...(isRow(schema.response?.[status]) ? ['ETag'] : []),
    ...(status === 201 ? ['Location'] : []),
    'Roundhouse-Version',
    ...(takesIdempotencyKey(route) ? ['Idempotency-Replayed'] : []),
  ]
}

function ofRefused(status: number): readonly string[] {
  if (status === 401) return ['WWW-Authenticate']
  return status === 429 || status === 503 ? ['Retry-After'] : []
}

function isRow(answer: JsonSchema | undefined): boolean {
  return answer?.properties?.['version'] !== undefined
}

function references(names: readonly string[]) {
  return names.length === 0
    ? {}
    : { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) }
}
