import { hostname } from 'node:os'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { cacheSection, domainsSection } from '../services/cache-report.js'
import { PUBLISH_EVERY_MS, ReplicaReports } from '../services/replicas/reports.js'
import { Reporter } from '../services/replicas/reporter.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** What this replica says of itself and what the others do. Plugins add sections of their own. */
    replicas: Reporter
  }
}

/** Apps in this process so far: tests and benchmarks run several. */
let apps = 0

/** Publishes this replica's figures while it listens, for whoever asks any replica. */
export default fp(
  async (fastify) => {
    const { config, cache, db, sideConnection } = fastify
    apps += 1
    const name = config.replicaId ?? [hostname(), process.pid, ...(apps > 1 ? [apps] : [])].join('-')
    const reports =
      db.kind === 'pglite' ? undefined : new ReplicaReports({ database: sideConnection, clock: systemClock, name })
    const replicas = new Reporter({ name, reports, wallMs: systemClock.wallMs })
    fastify.decorate('replicas', replicas)

    const startedAt = new Date(systemClock.wallMs() - process.uptime() * 1_000).toISOString()
    replicas.add('service', () => ({
      started_at: startedAt,
      uptime_seconds: Math.floor(process.uptime()),
      node: process.version,
      database: db.kind,
    }))
    replicas.add('cache', () => cacheSection(cache))
    replicas.add('domains', () => domainsSection(cache))

    let timer: NodeJS.Timeout | undefined
    const publish = async (): Promise<void> => {
      const heard = await replicas.publish()
      if (heard !== undefined) cache.sharesJournal(heard)
      // Up to a tenth later each time, so that replicas do not keep step.
      timer = setTimeout(() => void publish(), PUBLISH_EVERY_MS * (0.95 + Math.random() / 10)).unref()
    }
    let isClosing = false
    fastify.addHook('onListen', () => {
      if (reports !== undefined && !isClosing) void publish()
    })
    fastify.addHook('onClose', async () => {
      isClosing = true
      clearTimeout(timer)
      await replicas.withdraw()
    })
  },
  {
    name: 'replicas',
    fastify: '5.x',
    dependencies: ['config', 'database', 'cache'],
    decorators: { fastify: ['config', 'db', 'sideConnection', 'cache'] },
  },
)
