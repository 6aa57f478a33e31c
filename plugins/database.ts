import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { cachedTables } from '../services/cache-map.js'
import {
  type Database,
  DatabaseUnavailableError,
  migrate,
  type MigratableDatabase,
  openDatabase,
} from '../services/database/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    db: Database
  }
}

export interface DatabasePluginOptions {
  /** Told the name of every statement that is sent; benchmarks count with it. */
  readonly onQuery?: ((statementName: string) => void) | undefined
}

/** How long start-up waits for a database that does not answer yet, in ms. */
const START_LIMIT_MS = 20_000
const PAUSE_MS = 500

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
    await migrateOnceUp(database, fastify.log)
    fastify.decorate('db', database)
  },
  { name: 'database', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

async function migrateOnceUp(database: MigratableDatabase, log: FastifyBaseLogger): Promise<void> {
  const giveUpAt = performance.now() + START_LIMIT_MS
  for (;;) {
    try {
      await migrate(database, cachedTables)
      return
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || performance.now() > giveUpAt) throw error
      log.warn({ err: error }, 'The database does not answer yet, trying again')
      await sleep(PAUSE_MS)
    }
  }
}
