import fp from 'fastify-plugin'
import { cachedTables } from '../services/cache-map.js'
import { type Database, openDatabase, startDatabase } from '../services/database/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    db: Database
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
      dataDir: config.dataDir,
      onQuery,
    })
    fastify.addHook('onClose', () => database.close())
    await startDatabase(database, cachedTables, { onWait: (line) => fastify.log.warn(line) })
    fastify.decorate('db', database)
  },
  { name: 'database', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
