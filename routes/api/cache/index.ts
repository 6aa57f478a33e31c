import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { NotFoundError } from '../../../services/errors.js'
import { strictQueries } from '../strict-queries.js'
import { keyOfUrl } from './key-of-url.js'
import { Cleared, Health, InspectQuery, Inspection, Stats, TemplateParams, UserParams } from './schemas.js'

/** Health, statistics, clearing and inspection of the cache. */
const routes: FastifyPluginAsyncTypebox = async (fastify) => {
  strictQueries(fastify)

  // The platform's health check: no token, no limit, no log line, and never slower than the probes' time limit. What asks may put
  // anything behind the path: to refuse that would take a replica out of service that is well.
  fastify.get(
    '/health',
    {
      config: { isVital: true, takesAnyQuery: true },
      schema: { summary: 'Say whether this replica can serve', response: { 200: Health, 503: Health } },
      logLevel: 'silent',
    },
    async (_, reply) => {
      const health = await fastify.health.check()
      reply.header('cache-control', 'no-store')
      return reply.code(health.status === 'unhealthy' ? 503 : 200).send(health)
    },
  )

  fastify.get(
    '/stats',
    {
      config: { isVital: true },
      schema: { summary: 'Count hits, misses and loads of this replica', response: { 200: Stats } },
    },
    async (_, reply) => {
      reply.header('cache-control', 'no-store')
      return fastify.health.stats()
    },
  )

  fastify.post(
    '/clear/user/:user_id',
    {
      schema: {
        summary: 'Clear what is cached of a user',
        operationId: 'clearUser',
        params: UserParams,
        response: { 200: Cleared },
      },
      onRequest: fastify.requireAdminOrUser,
    },
    async (request) => {
      const userId = request.params.user_id.toLowerCase()
      const raised = await fastify.users.clear(userId)
      tell(request, { cleared: `user: ${userId}`, tags: raised.length })
      return {
        cleared: 'user' as const,
        user_id: userId,
        tags: raised.length,
        message: `Cache cleared for user ${userId}`,
      }
    },
  )

  fastify.post(
    '/clear/template/:template_id',
    {
      schema: {
        summary: 'Clear a template, its lists and what is made from it',
        operationId: 'clearTemplate',
        params: TemplateParams,
        response: { 200: Cleared },
      },
      onRequest: fastify.requireAdminOrUser,
    },
    async (request) => {
      const templateId = request.params.template_id.toLowerCase()
      const raised = await fastify.templates.clear(templateId, request.user?.id)
      tell(request, { cleared: `template: ${templateId}`, tags: raised.length })
      const message = `Cache cleared for template ${templateId}, its lists and what is made from it`
      return { cleared: 'template' as const, template_id: templateId, tags: raised.length, message }
    },
  )

  fastify.post(
    '/clear',
    {
      config: { isVital: true },
      schema: { summary: 'Clear everything', operationId: 'clearCache', response: { 200: Cleared } },
      onRequest: fastify.requireAdmin,
    },
    async (request) => {
      const { memoryItems } = fastify.cache.stats()
      await fastify.cache.clear()
      tell(request, { cleared: 'everybody', tags: 1, entries: memoryItems })
      return { cleared: 'everything' as const, tags: 1, message: 'Cache cleared' }
    },
  )

  fastify.get(
    '/inspect',
    {
      schema: {
        summary: 'Say what each tier holds under a key, and why it is answered or not',
        operationId: 'inspectCache',
        errors: ['NOT_FOUND', 'INVALID_CURSOR'],
        querystring: InspectQuery,
        response: { 200: Inspection },
      },
      onRequest: fastify.requireInspector,
    },
    async (request, reply) => {
      const { key = await keyOfUrl(request, request.query) } = request.query
      const address = fastify.entryOfKey(key)
      if (address === undefined) throw new NotFoundError('kind of cache key')
      reply.header('cache-control', 'no-store')
      return fastify.cache.inspect(address.key, address)
    },
  )
}

/** Who cleared what, and how many tags were raised; `entries`: how many were in memory here. */
function tell(request: FastifyRequest, fields: { cleared: string; tags: number; entries?: number }): void {
  const { cleared, tags, entries } = fields
  const by = request.user?.name ?? 'nobody'
  const count = `${tags} ${tags === 1 ? 'tag' : 'tags'}${entries === undefined ? '' : `, ${entries} entries here`}`
  request.log.info({ by, ...fields }, `🧹 Cleared cache for ${cleared} (by ${by}; ${count})`)
}

export default fp(routes, {
  name: 'cache-routes',
  fastify: '5.x',
  encapsulate: true,
  decorators: {
    fastify: [
      'cache',
      'health',
      'entryOfKey',
      'users',
      'templates',
      'requireAdmin',
      'requireInspector',
      'requireAdminOrUser',
    ],
  },
})
