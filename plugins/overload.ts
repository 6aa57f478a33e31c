import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { ServiceUnavailableError } from '../services/errors.js'
import { Pace } from '../services/pace.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether this process is so short of time or memory that it begins no load and no write. */
    isOverloaded: () => boolean
    /** How many loads and writes may be under way, so that hits are in time. */
    pace: Pace
  }
  interface FastifyContextConfig {
    /** What says how things are, or mends them: answered as long as anything is. */
    readonly isVital?: true
  }
}

/** How often the pace is set. */
const PACE_EVERY_MS = 20
/** How often it is measured how late the event loop is. */
const SAMPLE_EVERY_MS = 500
/** Samples in a row: a pause of the process, or its start, however long, is no overload. */
const LATE_SAMPLES = 4
/** Hits go on until the event loop is so many times later than where loads and writes end. */
const HITS_END_AT = 4
/** Of the heap that the process may have. */
const FULL_HEAP = 0.9
const LOG_EVERY_MS = 60_000

const READS = ['GET', 'HEAD', 'OPTIONS']

/**
 * Refuses with 503 what this replica can't do in time, before the event loop drowns in it. At first loads and writes are let in more slowly
 * ({@link Pace}), and those that wait for too long are refused. When the event loop is late all the same, or the heap nearly full, loads end
 * (at the way into the database: `isOverloaded`) and writes, before their body is read; hits go on. Much later than that everything ends. A
 * write also ends here when the line for the database is full: it would only be refused later.
 */
export default fp(
  async (fastify) => {
    const { maxLoopDelayMs } = fastify.config
    const mostHeapBytes = getHeapStatistics().heap_size_limit * FULL_HEAP
    await fastify.register(underPressure, { sampleInterval: SAMPLE_EVERY_MS })
    let late = 0
    let drowning = 0
    let isHeapFull = false
    const look = setInterval(() => {
      const { eventLoopDelay, heapUsed } = fastify.memoryUsage()
      isHeapFull = heapUsed > mostHeapBytes
      // What the start does is nobody's overload.
      if (!fastify.hasDecorator('db')) return
      late = eventLoopDelay > maxLoopDelayMs ? late + 1 : 0
      drowning = eventLoopDelay > maxLoopDelayMs * HITS_END_AT ? drowning + 1 : 0
    }, SAMPLE_EVERY_MS).unref()
    const pace = new Pace()
    let [tickedAt, worked] = [performance.now(), workedMs()]
    const tick = setInterval(() => {
      const [now, nowWorked] = [performance.now(), workedMs()]
      const passed = now - tickedAt
      if (fastify.hasDecorator('db') && fastify.db.kind === 'postgres')
        pace.tick(passed - PACE_EVERY_MS, (nowWorked - worked) / passed)
      tickedAt = now
      worked = nowWorked
    }, PACE_EVERY_MS).unref()
    fastify.addHook('onClose', async () => {
      clearInterval(look)
      clearInterval(tick)
    })
    fastify.decorate('pace', pace)
    const isOverloaded = (): boolean => late >= LATE_SAMPLES || isHeapFull
    fastify.decorate('isOverloaded', isOverloaded)

    let toldAt = Number.NEGATIVE_INFINITY
    const refusal = (reason: string): Error => {
      if (systemClock.now() - toldAt >= LOG_EVERY_MS) {
        toldAt = systemClock.now()
        fastify.log.warn(`Overloaded, so some requests are refused with 503: ${reason}`)
      }
      return new ServiceUnavailableError()
    }
    fastify.addHook('onRequest', (request, _reply, done) => {
      const isDrowning = drowning >= LATE_SAMPLES
      if ((!isDrowning && isRead(request)) || isVital(request)) return done()
      if (isDrowning || isOverloaded()) return done(refusal(isHeapFull ? 'the heap is full' : 'the event loop is late'))
      done(fastify.db.load.isFull ? refusal('the line for the database is full') : undefined)
    })
  },
  { name: 'overload', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

/** What this process has had of the cores since its start, in ms. */
function workedMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function isRead({ method }: FastifyRequest): boolean {
  return READS.includes(method)
}

function isVital({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.isVital === true
}
