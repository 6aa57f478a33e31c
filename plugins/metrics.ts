import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { ProcessFigures } from '../services/metrics/process.js'
import { RequestCounts } from '../services/metrics/requests.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers by route; routes are counted by themselves. `undefined` in an app without metrics. */
    requestCounts: RequestCounts | undefined
    /** What replicas report, in the text format of Prometheus. */
    metrics(of: { readonly isOfThisAlone: boolean }): Promise<{ readonly text: string; readonly type: string }>
  }
}

/** Counts answers, adds what the process and its pool say to the replica's report, and writes all reports out for Prometheus. */
export default fp(
  async (fastify) => {
    const { config, db, replicas } = fastify
    const requestCounts = new RequestCounts({ isTimed: config.isPerformanceMonitoring })
    fastify.decorate('requestCounts', requestCounts)
    fastify.addHook('onRoute', (route) => {
      const counts = requestCounts.of([route.method].flat().join(), route.url)
      const others = [route.onResponse ?? []].flat()
      route.onResponse = [
        ...others,
        (_request, reply, done) => {
          counts.record(reply.statusCode, reply.elapsedTime)
          done()
        },
      ]
    })

    const figures = new ProcessFigures(systemClock)
    fastify.addHook('onClose', async () => figures.stop())
    replicas.add('http', () => requestCounts)
    replicas.add('process', () => figures)
    if (db.poolUse !== undefined) replicas.add('pool', () => db.poolUse)

    fastify.decorate('metrics', async ({ isOfThisAlone }) => {
      // Read when scraped, and loaded when first read.
      const [{ familiesOf }, { CONTENT_TYPE, exposition }] = await Promise.all([
        import('../services/metrics/families.js'),
        import('../services/metrics/exposition.js'),
      ])
      const reports = isOfThisAlone ? [replicas.own()] : await replicas.told()
      return { text: exposition(familiesOf(reports)), type: CONTENT_TYPE }
    })
  },
  {
    name: 'metrics',
    fastify: '5.x',
    dependencies: ['config', 'database', 'replicas'],
    decorators: { fastify: ['config', 'db', 'replicas'] },
  },
)
