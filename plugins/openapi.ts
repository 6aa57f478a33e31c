import type { FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { type Access, type Described, isJsonSchema, type Route } from '../services/openapi/route.js'
import type { Guard } from './auth.js'

declare module 'fastify' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- the same keys, in a route's schema
  interface FastifySchema extends Described {}
  interface FastifyContextConfig {
    /** Whose token the route takes: {@link guardScope} notes it. */
    access?: Access
  }
  interface FastifyInstance {
    /** The API as OpenAPI 3.1, as JSON. It is made anew each time. */
    openapi(): Promise<string>
    /** Every route that there is, as the API reference sees it. */
    apiRoutes(): readonly Route[]
  }
}

/** The API reference as data, from the routes as they are registered. */
export default fp(
  async (fastify) => {
    const registered: RouteOptions[] = []
    fastify.addHook('onRoute', (route) => void registered.push(route))

    const definitions = () => [...fastify.resources.values()].map(({ definition }) => definition)
    const apiRoutes = (): Route[] => {
      const resources = new Map(definitions().map((definition) => [`/api/${definition.name}`, definition]))
      return registered.flatMap((route) => {
        const { url, schema = {}, config } = route
        const methods = [route.method].flat().filter((method) => method !== 'HEAD' && method !== 'OPTIONS')
        const [prefix = ''] = /^\/api\/[^/]+/.exec(url) ?? []
        const resource = resources.get(prefix)
        const of = resource && { resource, rest: url.slice(prefix.length).replace(/(.)\/$/, '$1') || '/' }
        const access = config?.access ?? guardOf(route) ?? (of && 'user')
        return methods.map((method) => ({ method, url, access, of, schema: readable(schema) }))
      })
    }
    fastify.decorate('apiRoutes', apiRoutes)
    fastify.decorate('openapi', async () => {
      // Few processes are ever asked, and a start need not wait for it.
      const { openapiDocument } = await import('../services/openapi/document.js')
      return JSON.stringify(openapiDocument(apiRoutes(), definitions()))
    })
  },
  { name: 'openapi', fastify: '5.x' },
)

/** The guard among the hooks of the route itself. */
function guardOf({ onRequest = [] }: RouteOptions): Access | undefined {
  return [onRequest].flat().find(isGuard)?.access
}

function isGuard(hook: object): hook is Guard {
  return 'access' in hook
}

/** Fastify knows nothing of what is in a schema. */
function readable({ params, querystring, body, response, ...described }: FastifySchema): Route['schema'] {
  const answers = isJsonSchema(response) ? Object.entries(response) : []
  return {
    ...described,
    ...(isJsonSchema(params) && { params }),
    ...(isJsonSchema(querystring) && { querystring }),
    ...(isJsonSchema(body) && { body }),
    response: Object.fromEntries(
      answers.flatMap(([status, answer]) => (isJsonSchema(answer) ? [[status, answer]] : [])),
    ),
  }
}
