import fp from 'fastify-plugin'

/** `Server-Timing` on every answer, so that a browser's tools and a client's logs show the service's own share. */
export default fp(
  async (fastify) => {
    if (!fastify.config.isPerformanceMonitoring) return
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      void reply.header('server-timing', `total;dur=${Math.round(reply.elapsedTime * 100) / 100}`)
      done(null, payload)
    })
  },
  { name: 'timing', dependencies: ['config'] },
)
