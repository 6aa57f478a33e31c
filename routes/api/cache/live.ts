import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { TooManyWatchersError } from '../../../services/errors.js'
import { beLast, EVENT_STREAM } from '../event-stream.js'
import { strictQueries } from '../strict-queries.js'

/** Figures as server-sent events, for administrators, also those who may only look: they name tags, and so tenants. */
const routes: FastifyPluginAsync = async (fastify) => {
  const { live } = fastify
  strictQueries(fastify)
  // A HEAD would wait for the end of a stream that has none.
  const schema = {
    summary: 'Watch the figures of all replicas, as server-sent events',
    operationId: 'watchCache',
    produces: EVENT_STREAM,
    errors: ['TOO_MANY_WATCHERS'],
  }
  fastify.addHook('onRequest', (_request, reply, done) => {
    beLast(reply)
    done()
  })
  fastify.get(
    '/live',
    { schema, onRequest: fastify.requireInspector, exposeHeadRoute: false },
    async (request, reply) => {
      if (live.isFull) throw new TooManyWatchersError()
      reply.headers({
        'content-type': `${EVENT_STREAM}; charset=utf-8`,
        'cache-control': 'no-store',
        // Proxies of nginx's kind would gather the events.
        'x-accel-buffering': 'no',
      })
      return reply.send(live.watch({ mayClear: request.user?.isAdmin === true }))
    },
  )
}

export default fp(routes, {
  name: 'live-routes',
  fastify: '5.x',
  encapsulate: true,
  decorators: { fastify: ['live', 'requireInspector'] },
})
