import fp from 'fastify-plugin'
import { resources } from '../services/domains.js'
import { Exports, LIMITS } from '../services/export/exports.js'

declare module 'fastify' {
  interface FastifyInstance {
    exports: Exports
  }
}

/**
 * Exports of whole resources. A third of the pool is for them at most. A close of the service ends them; while it drains, those under way
 * go on until their connections are cut off.
 */
export default fp(
  async (fastify) => {
    const { db: database, config } = fastify
    const most = Math.max(1, Math.min(LIMITS.most, Math.floor((config.databasePoolSize ?? 10) / 3)))
    const exports = new Exports({ database, resources }, { ...LIMITS, most })
    fastify.decorate('exports', exports)
    fastify.addHook('preClose', async () => {
      if (!fastify.isDraining()) await exports.close()
    })
    fastify.addHook('onClose', () => exports.close())
  },
  {
    name: 'exports',
    fastify: '5.x',
    dependencies: ['config', 'database', 'draining'],
    decorators: { fastify: ['config', 'db', 'isDraining'] },
  },
)
