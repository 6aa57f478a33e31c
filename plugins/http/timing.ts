import fp from 'fastify-plugin'
import { Latencies, SOURCE } from '../../services/figures/latencies.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** How long answers took; `undefined` when they are not timed. */
    latencies: Latencies | undefined
  }
  interface FastifyReply {
    /** What answered: a tier, the database because none had it, or something that is no read of the cache. */
    answeredBy: keyof typeof SOURCE
  }
}

/** Most answers take a few hundredths of a millisecond: their header is written once. */
const HEADERS_KEPT = 1_000

/**
 * `Server-Timing` on every answer, so that a browser's tools and a client's logs show the service's own share; and how many took how long,
 * which costs a hit one addition.
 */
export default fp(
  async (fastify) => {
    fastify.decorateReply('answeredBy', 'other')
    const latencies = fastify.config.isPerformanceMonitoring ? new Latencies() : undefined
    fastify.decorate('latencies', latencies)
    if (latencies === undefined) return
    const kept: string[] = []
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      const hundredths = Math.round(reply.elapsedTime * 100)
      const header = kept[hundredths] ?? `total;dur=${hundredths / 100}`
      if (hundredths < HEADERS_KEPT) kept[hundredths] = header
      latencies.record(SOURCE[reply.answeredBy], hundredths)
      reply.header('server-timing', header)
      done(null, payload)
    })
  },
  { name: 'timing', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
