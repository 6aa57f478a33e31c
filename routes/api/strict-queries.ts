import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { strict } from '../../services/resource/schema.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The query is not looked at, whatever is in it. */
    takesAnyQuery?: true
  }
}

/** What the query of a route may hold that says nothing of it. */
export const NO_FIELDS = Type.Object({}, strict)

/**
 * From now on every route of a scope refuses the fields of a query that it does not know: a route without a schema for its query knows
 * none. Otherwise a filter or a condition that was asked for is left out, and nobody says so.
 */
export function strictQueries(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    if (route.config?.takesAnyQuery === true) return
    route.schema = { ...route.schema, querystring: route.schema?.querystring ?? NO_FIELDS }
  })
}
