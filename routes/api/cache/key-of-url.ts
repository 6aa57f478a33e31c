import type { FastifyInstance, FastifyRequest } from 'fastify'
import { InvalidRequestError, NotFoundError } from '../../../services/errors.js'
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
  const { parts, fields } = parsed(url)
  const query = Object.fromEntries(fields)
  // The routes refuse it as well, and the last one alone would name another entry.
  if (Object.keys(query).length < fields.length) throw new InvalidRequestError('query: url has a field twice')
  const { name, externalId, id } = parts
  const user = user_id?.toLowerCase()
  if (id !== undefined || externalId !== undefined) refuseFields(request, query)
  if (name === 'users' && id !== undefined) return `${id === 'me' ? named(user) : uuidOf(id)}/profile`
  const resource = name === undefined ? undefined : request.server.resources.get(name)
  if (resource === undefined) throw new NotFoundError('URL that the cache answers')
  if (externalId !== undefined) return `${named(user)}/${name}/by-external-id/${externalId}`
  if (id === undefined) return resource.listKey(named(user), listQuery(request, resource, query))
  const row = uuidOf(id)
  const owner = user ?? (await resource.ownerOf(row))
  if (owner === undefined) throw new NotFoundError(resource.kind)
  return `${owner}/${name}/${row}`
}

/** The parts of a URL; a host before it says nothing. */
function parsed(url: string): {
  readonly parts: Record<string, string | undefined>
  readonly fields: readonly [string, string][]
} {
  try {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    const { name, externalId, id } = PATH.exec(pathname)?.groups ?? {}
    const parts = { name, externalId: externalId && decodeURIComponent(externalId), id }
    return { parts, fields: [...searchParams] }
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

type Resource = NonNullable<ReturnType<FastifyInstance['resources']['get']>>

/** Read as the list's own route reads it. */
function listQuery(request: FastifyRequest, { definition }: Resource, query: Record<string, string>) {
  if ('ids' in query) throw new InvalidRequestError('query: url names ids: ask for the URL of each row')
  const isValid = request.compileValidationSchema(definition.schemas.query, 'querystring')
  if (isValid(query)) return query
  const [first] = isValid.errors ?? []
  throw new InvalidRequestError(
    `query: the query of url is not one of this list: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  )
}

/** The route of a row refuses what has them: no entry answers it. */
function refuseFields(request: FastifyRequest, query: Record<string, string>): void {
  const isValid = request.compileValidationSchema(NO_FIELDS, 'querystring')
  if (!isValid(query)) throw new InvalidRequestError('query: the query of url has a field, and a row takes none')
}
