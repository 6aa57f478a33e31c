import fp from 'fastify-plugin'
import { resources } from '../services/domains.js'
import { Exports, LIMITS } from '../services/export/exports.js'

declare module 'fastify' {
  interface FastifyInstance {
    exports: Exports
  }
}

/** Exports of whole resources. A third of the pool is for them at most; a close of the service ends them. */
export default fp(
  async (fastify) => {
    const { db: database, config } = fastify
    const most = Math.max(1, Math.min(LIMITS.most, Math.floor((config.databasePoolSize ?? 10) / 3)))
    const exports = new Exports({ database, resources }, { ...LIMITS, most })
    fastify.decorate('exports', exports)
    fastify.addHook('preClose', () => exports.close())
  },
  {
    name: 'exports',
    fastify: '5.x',
    dependencies: ['config', 'database'],
    decorators: { fastify: ['config', 'db'] },
  },
)
