import type { FastifyInstance } from 'fastify'

/** Puts a guard before every route of a scope, before a body is read, and says so in the API reference. */
export function guardScope(scope: FastifyInstance, guard: FastifyInstance['requireUser']): void {
  scope.addHook('onRequest', guard)
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: guard.access }
  })
}
