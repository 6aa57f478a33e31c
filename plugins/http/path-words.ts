import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NotFoundError } from '../../services/errors.js'
import type { Finding } from '../../services/validation-message.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The paths of all routes. */
    readonly paths: ReadonlySet<string>
  }
}

const LONGEST_WORD = 100

/** Remembers the paths of the routes that are registered from now on. */
export function collectPaths(fastify: FastifyInstance): void {
  const paths = new Set<string>()
  fastify.decorate('paths', paths)
  fastify.addHook('onRoute', ({ url }) => void paths.add(url))
}

/** The part of a path that should be an id and is none, among what was found wrong with the path. */
export function notAnId(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ keyword, params }) => keyword === 'format' && params['format'] === 'uuid')
}

/**
 * For a word that stands where an id should: nothing has it, and the caller may have meant one of the words that routes have there.
 * @param finding what {@link notAnId} found
 */
export function notFoundByWord({ instancePath }: Finding, { params, routeOptions, server }: FastifyRequest): Error {
  const name = instancePath.slice(1)
  const given = typeof params === 'object' && params !== null ? String(Reflect.get(params, name)) : ''
  const route = routeOptions.url ?? ''
  const parent = route.slice(0, route.indexOf(`:${name}`))
  const beside = [...server.paths].filter((path) => path.startsWith(parent)).map((path) => path.slice(parent.length))
  const words = beside.filter((rest) => rest !== '' && !rest.startsWith(':')).map((rest) => parent + rest)
  const hint = words.length === 0 ? '' : `. Beside ids there are ${words.toSorted().join(', ')}`
  const message = `path: ${given.slice(0, LONGEST_WORD)} is no id: an id is a UUID${hint}`
  return Object.assign(new NotFoundError(''), { message })
}
