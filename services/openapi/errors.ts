import * as catalogue from '../errors.js'
import type { ResourceDefinition } from '../resource/definition.js'
import { isConditional, namesRow, type Route } from './route.js'

/** One error of the catalogue, as an answer has it but for its status in words. */
export interface KnownError {
  readonly code: string
  readonly statusCode: number
  readonly message: string
}

/** Every code, with a message as it may be. */
export const knownErrors: ReadonlyMap<string, KnownError> = new Map(
  Object.values(catalogue).map((Known) => {
    const {
      code,
      statusCode = 500,
      message,
    }: { code: string; statusCode?: number; message: string } = Reflect.construct(Known, [])
    return [code, { code, statusCode, message: message.replaceAll('%s', '…') }]
  }),
)

/** What is answered before any route is found, or where none is. */
export const ERRORS_OF_NO_ROUTE = [
  'MALFORMED_REQUEST',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'REQUEST_TIMEOUT',
  'HEADERS_TOO_LARGE',
  'UNSUPPORTED_TRANSFER_CODING',
] as const

/** The codes that a route can answer with, besides those of {@link ERRORS_OF_NO_ROUTE}; `all` are the resources that there are. */
export function errorsOf(route: Route, all: readonly ResourceDefinition[]): string[] {
  const { method, access, schema } = route
  const isWrite = !['GET', 'HEAD'].includes(method)
  const codes = [
    ['INVALID_REQUEST', 'INVALID_VERSION', 'INTERNAL_ERROR', 'SERVICE_UNAVAILABLE'],
    access === undefined ? [] : ['UNAUTHORIZED', 'FORBIDDEN', 'TOO_MANY_REQUESTS', 'RATE_LIMITED'],
    isWrite ? ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'UNSUPPORTED_CONTENT_CODING', 'MALFORMED_BODY'] : [],
    schema.params?.properties === undefined ? [] : ['NOT_FOUND'],
    schema.querystring?.properties?.['cursor'] === undefined ? [] : ['INVALID_CURSOR'],
    isOfTheService(schema.body?.properties?.['id']) ? ['READ_ONLY_FIELD'] : [],
    isConditional(route) && access !== undefined ? ['PRECONDITION_FAILED'] : [],
    ofResource(route, all),
    schema.errors ?? [],
  ]
  return [...new Set(codes.flat())]
}

/** A field that is there to be compared takes anything. */
function isOfTheService(field: object | undefined): boolean {
  return field !== undefined && !('type' in field)
}

/** Whether it makes rows, and can be repeated without making more. */
export function takesIdempotencyKey({ method, of }: Pick<Route, 'method' | 'of'>): boolean {
  return method === 'POST' && of !== undefined && ['/', '/bulk'].includes(of.rest)
}

function ofResource({ method, url, of }: Route, all: readonly ResourceDefinition[]): string[] {
  if (of === undefined) return []
  const { resource, rest } = of
  if (method === 'GET') return rest === '/' ? ['TOO_MANY_READS'] : []
  const ofRow = namesRow({ url }) ? ['PRECONDITION_FAILED'] : []
  const isBulk = rest === '/bulk'
  if (method === 'DELETE') return [...ofRow, 'CONFLICT', ...ofReferrers(resource, all)]
  const written = ['EXTERNAL_ID_TAKEN', 'CONFLICT', ...(resource.references === undefined ? [] : ['INVALID_REFERENCE'])]
  const repeated = takesIdempotencyKey({ method, of }) ? ['STILL_RUNNING', 'IDEMPOTENCY_KEY_REUSED'] : []
  // Each operation of a bulk has a result of its own, which may be any of these.
  const ofOperations = isBulk
    ? [
        'TOO_MANY_READS',
        'BULK_REFUSED',
        'NOT_WRITTEN',
        'NOT_FOUND',
        'PRECONDITION_FAILED',
        'READ_ONLY_FIELD',
        ...ofReferrers(resource, all),
      ]
    : []
  return [...ofRow, ...written, ...repeated, ...ofOperations]
}

/** While a row refers to this one and may not lose it. */
function ofReferrers(resource: ResourceDefinition, all: readonly ResourceDefinition[]): string[] {
  const references = all.flatMap(({ references = {} }) => Object.values(references))
  if (!references.some(({ to, onDelete }) => to === resource.name && onDelete === 'refuse')) return []
  const refusal = resource.inUse?.([])
  return [refusal !== undefined && 'code' in refusal ? String(refusal.code) : 'IN_USE']
}
