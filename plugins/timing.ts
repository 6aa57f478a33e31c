import fp from 'fastify-plugin'

/** Most answers take a few hundredths of a millisecond: their header is written once. */
const HEADERS_KEPT = 1_000

/** `Server-Timing` on every answer, so that a browser's tools and a client's logs show the service's own share. */
export default fp(
  async (fastify) => {
    if (!fastify.config.isPerformanceMonitoring) return
    const kept: string[] = []
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      const hundredths = Math.round(reply.elapsedTime * 100)
      const header = kept[hundredths] ?? `total;dur=${hundredths / 100}`
      if (hundredths < HEADERS_KEPT) kept[hundredths] = header
      reply.header('server-timing', header)
      done(null, payload)
    })
  },
  { name: 'timing', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
