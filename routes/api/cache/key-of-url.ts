import type { FastifyInstance, FastifyRequest } from 'fastify'
import { InvalidRequestError, NotFoundError } from '../../../services/errors.js'
import { ByExternalId } from '../../../services/resource/schema.js'
import { NO_FIELDS } from '../strict-queries.js'

/** With whatever a proxy has put before it. */
const PATH = /\/api\/(?<name>[a-z_]+)(?:\/by-external-id\/(?<externalId>[^/]+)|\/(?<id>[^/]+))?\/?$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface Asked {
  readonly key?: string
  readonly url?: string
  readonly user_id?: string
}

/**
 * The key of the entry that answers a GET of a URL.
 * @throws InvalidRequestError for a URL that no single entry answers, NotFoundError for a row that nobody has
 */
export async function keyOfUrl(request: FastifyRequest, { url, user_id }: Asked): Promise<string> {
  if (url === undefined) throw new InvalidRequestError('query: key or url is missing')
  const { parts, query } = parsed(url)
  const { name, externalId, id } = parts
  const user = user_id?.toLowerCase()
  if (id !== undefined || externalId !== undefined) refuseFields(request, query)
  if (name === 'users' && id !== undefined) return `${id === 'me' ? named(user) : uuidOf(id)}/profile`
  const resource = name === undefined ? undefined : request.server.resources.get(name)
  if (resource === undefined) throw new NotFoundError('URL that the cache answers')
  if (externalId !== undefined) return `${named(user)}/${name}/by-external-id/${externalIdOf(request, externalId)}`
  if (id === undefined) return resource.listKey(named(user), listQuery(request, resource, query))
  const row = uuidOf(id)
  const owner = user ?? (await resource.ownerOf(row))
  if (owner === undefined) throw new NotFoundError(resource.kind)
  return `${owner}/${name}/${row}`
}

/** As the routes are given it: what comes more than once is an array. */
type Query = Record<string, string | string[]>

/** The parts of a URL; a host before it says nothing. */
function parsed(url: string): { readonly parts: Record<string, string | undefined>; readonly query: Query } {
  try {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    const { name, externalId, id } = PATH.exec(pathname)?.groups ?? {}
    const parts = { name, externalId: externalId && decodeURIComponent(externalId), id }
    const given = (field: string): string | string[] => {
      const [first = '', ...more] = searchParams.getAll(field)
      return more.length === 0 ? first : [first, ...more]
    }
    return { parts, query: Object.fromEntries([...searchParams.keys()].map((field) => [field, given(field)])) }
  } catch {
    throw new InvalidRequestError('query: url is no URL in percent-encoding')
  }
}

function named(userId: string | undefined): string {
  if (userId !== undefined) return userId
  throw new InvalidRequestError('query: user_id is missing: whose list, profile or external_id is it?')
}

function uuidOf(id: string): string {
  if (UUID.test(id)) return id.toLowerCase()
  throw new InvalidRequestError('query: url has no UUID where the id of a row would be')
}

/** Composed as the route of the row composes it: another spelling of the same text would be another key. */
function externalIdOf(request: FastifyRequest, text: string): string {
  const params = { external_id: text }
  const isValid = request.compileValidationSchema(ByExternalId, 'params')
  if (isValid(params)) return params.external_id
  throw new InvalidRequestError('query: url has an external_id that no row can have')
}

type Resource = NonNullable<ReturnType<FastifyInstance['resources']['get']>>

/** Read as the list's own route reads it. */
function listQuery(request: FastifyRequest, { definition }: Resource, query: Query) {
  if ('ids' in query) throw new InvalidRequestError('query: url names ids: ask for the URL of each row')
  const isValid = request.compileValidationSchema(definition.schemas.query, 'querystring')
  if (isValid(query)) return query
  const [first] = isValid.errors ?? []
  if (first?.keyword === 'repeated') throw new InvalidRequestError('query: url has a field twice that comes once')
  throw new InvalidRequestError(
    `query: the query of url is not one of this list: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  )
}

/** The route of a row refuses what has them: no entry answers it. */
function refuseFields(request: FastifyRequest, query: Query): void {
  const isValid = request.compileValidationSchema(NO_FIELDS, 'querystring')
  if (!isValid(query)) throw new InvalidRequestError('query: the query of url has a field, and a row takes none')
}
