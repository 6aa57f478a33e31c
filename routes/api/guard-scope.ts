import type { FastifyInstance } from 'fastify'
import { strictQueries } from './strict-queries.js'

/** Puts a guard before every route of a scope, before a body is read, and says so in the API reference. Their queries are strict. */
export function guardScope(scope: FastifyInstance, guard: FastifyInstance['requireUser']): void {
  strictQueries(scope)
  scope.addHook('onRequest', guard)
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: guard.access }
  })
}
