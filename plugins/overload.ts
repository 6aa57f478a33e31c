import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { ServiceUnavailableError } from '../services/errors.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What says how things are, or mends them: answered as long as anything is. */
    readonly isVital?: true
  }
}

/** How often it is measured how late the event loop is. One pause is not overload: the mean of so long is. */
const SAMPLE_EVERY_MS = 1_000
/** Hits go on until the event loop is so many times later than where loads and writes end. */
const HITS_END_AT = 4
/** Of the heap that the process may have. */
const FULL_HEAP = 0.9
const LOG_EVERY_MS = 60_000

const READS = ['GET', 'HEAD', 'OPTIONS']

/**
 * Refuses with 503 what this replica can't do in time, before the event loop drowns in it. When the event loop is late or the heap nearly full,
 * loads end (at the way into the database: `isUnderPressure`) and writes, before their body is read; hits go on. Much later than that
 * everything ends. A write also ends here when the line for the database is full: it would only be refused later.
 */
export default fp(
  async (fastify) => {
    const { maxLoopDelayMs } = fastify.config
    let toldAt = Number.NEGATIVE_INFINITY
    const refuse = (reason: string): never => {
      if (systemClock.now() - toldAt >= LOG_EVERY_MS) {
        toldAt = systemClock.now()
        fastify.log.warn(`Overloaded, so some requests are refused with 503: ${reason}`)
      }
      throw new ServiceUnavailableError()
    }
    await fastify.register(underPressure, {
      sampleInterval: SAMPLE_EVERY_MS,
      maxEventLoopDelay: maxLoopDelayMs,
      maxHeapUsedBytes: getHeapStatistics().heap_size_limit * FULL_HEAP,
      pressureHandler(request, _reply, type, value = 0) {
        if (isVital(request)) return
        const isDrowning = type === 'eventLoopDelay' && value > maxLoopDelayMs * HITS_END_AT
        if (isDrowning || !isRead(request)) refuse(`${type} is ${Math.round(value)}`)
      },
    })
    fastify.addHook('onRequest', (request, _reply, done) => {
      if (!isRead(request) && fastify.db.load.isFull && !isVital(request)) refuse('the line for the database is full')
      done()
    })
  },
  { name: 'overload', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

function isRead({ method }: FastifyRequest): boolean {
  return READS.includes(method)
}

function isVital({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.isVital === true
}
