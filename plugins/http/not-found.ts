import type { FastifyInstance, FastifyReply, HTTPMethods } from 'fastify'
import fp from 'fastify-plugin'
import { MethodNotAllowedError, RouteNotFoundError } from '../../services/errors.js'
import { acceptedTypes } from './bodies.js'

/** Methods that a route may have, in the order in which Allow names them. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const satisfies readonly HTTPMethods[]

const LONGEST_PATH_SHOWN = 200

/** What no route answers: 404 for a path that none has, 405 with Allow for a path that other methods have, and OPTIONS. */
export default fp(
  async (fastify) => {
    // No route takes it. As a method with a body, its Content-Type would be asked for before there is an answer from here.
    fastify.addHttpMethod('QUERY', { overrideExisting: true })
    fastify.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1).join()
      const shown = path.slice(0, LONGEST_PATH_SHOWN)
      const methods = methodsOf(fastify, path)
      // It asks whether the server is there, and about no path.
      const isForAll = request.method === 'OPTIONS' && path === '*'
      const isKnown = isForAll || methods.length > 0
      const status = !isKnown ? 404 : request.method === 'OPTIONS' ? 204 : 405
      fastify.requestCounts?.unrouted(request.method, status, reply.elapsedTime)
      if (isForAll) return reply.code(204).send()
      if (!isKnown) throw new RouteNotFoundError(request.method, shown)
      if (request.method === 'OPTIONS') return answerOptions(reply, methods)
      const allowed = allow(methods)
      reply.header('allow', allowed)
      throw new MethodNotAllowedError(request.method, shown, allowed)
    })
  },
  { name: 'not-found', fastify: '5.x' },
)

/** Answers OPTIONS: what may be asked, and what bodies may be (RFC 5789, 3.1). */
function answerOptions(reply: FastifyReply, methods: readonly string[]): FastifyReply {
  for (const method of methods) {
    for (const [header, value] of acceptedTypes(method)) reply.header(header, value)
  }
  return reply.header('allow', allow(methods)).code(204).send()
}

/**
 * Those of the route that has the path by its own words, where there is one: beside `POST /bulk`, `GET /:id` has the path too, and would say
 * that there is no such row.
 */
function methodsOf(fastify: FastifyInstance, url: string): string[] {
  const found = METHODS.flatMap((method) => {
    const route = fastify.findRoute({ method, url })
    return route === null ? [] : [{ method, parameters: Object.keys(route.params).length }]
  })
  const fewest = Math.min(...found.map(({ parameters }) => parameters))
  return found.filter(({ parameters }) => parameters === fewest).map(({ method }) => method)
}

function allow(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}
