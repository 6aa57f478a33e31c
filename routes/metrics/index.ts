import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import fp from 'fastify-plugin'

const schema = {
  summary: 'Read the metrics of all replicas, in the text format of Prometheus',
  operationId: 'getMetrics',
  produces: 'text/plain',
  querystring: Type.Object(
    {
      replica: Type.Optional(
        Type.Literal('this', { description: 'of the replica that answers alone, for who scrapes each' }),
      ),
    },
    { additionalProperties: false },
  ),
}

/** For Prometheus: one scrape answers for all replicas, whichever of them a balancer leads to. */
const routes: FastifyPluginAsyncTypebox = async (fastify) => {
  fastify.get(
    '/metrics',
    { schema, onRequest: fastify.requireScraper, logLevel: 'silent' },
    async ({ query: { replica } }, reply) => {
      const { text, type } = await fastify.metrics({ isOfThisAlone: replica === 'this' })
      return reply.header('cache-control', 'no-store').type(type).send(text)
    },
  )
}

export default fp(routes, {
  name: 'metrics-routes',
  fastify: '5.x',
  encapsulate: true,
  decorators: { fastify: ['metrics', 'requireScraper'] },
})
