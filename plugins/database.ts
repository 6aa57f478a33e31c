import fp from 'fastify-plugin'
import { cachedTables } from '../services/cache-map.js'
import { installChanges } from '../services/changes/installation.js'
import { type Database, LastingSession, openDatabase, startDatabase } from '../services/database/index.js'
import { resources } from '../services/domains.js'
import { PROBE_LIMIT_MS } from '../services/health.js'

declare module 'fastify' {
  interface FastifyInstance {
    db: Database
    /** A connection beside the pool, for what says how things are: made when it is first asked, and what takes longer than a probe fails. */
    sideConnection: LastingSession
  }
}

export interface DatabasePluginOptions {
  /** Told the name of every statement that is sent; benchmarks count with it. */
  readonly onQuery?: ((statementName: string) => void) | undefined
}

/** Opens the database, brings its schema up to date, and closes it last of all. */
export default fp<DatabasePluginOptions>(
  async (fastify, { onQuery }) => {
    const { config } = fastify
    const database = await openDatabase({
      url: config.databaseUrl,
      unpooledUrl: config.databaseUnpooledUrl,
      poolSize: config.databasePoolSize,
      mostWaiting: config.databaseQueueLength,
      longestWaitMs: config.databaseQueueMs,
      longestWriteWaitMs: config.databaseWriteQueueMs,
      silenceMs: config.databaseSilenceMs,
      share: () => (fastify.hasDecorator('pace') ? fastify.pace.share : 1),
      isClosed: () => fastify.hasDecorator('isOverloaded') && fastify.isOverloaded(),
      dataDir: config.dataDir,
      onQuery,
    })
    const side = new LastingSession(database, PROBE_LIMIT_MS)
    fastify.addHook('onClose', async () => {
      await side.close()
      await database.close()
    })
    await startDatabase(database, cachedTables, {
      onWait: (line) => fastify.log.warn(line),
      install: (sql) => installChanges(sql, resources, { isOn: config.isChangesOn }),
    })
    fastify.decorate('db', database)
    fastify.decorate('sideConnection', side)
  },
  { name: 'database', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
