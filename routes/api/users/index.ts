import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { administration } from './administration.js'
import { me } from './me.js'
import { tokens } from './tokens.js'

/** Each part is a scope of its own, with its own guard. */
const routes: FastifyPluginAsync = async (fastify) => {
  await fastify.register(administration)
  await fastify.register(me)
  await fastify.register(tokens)
}

export default fp(routes, {
  name: 'user-routes',
  fastify: '5.x',
  encapsulate: true,
  decorators: { fastify: ['users', 'tokens', 'requireUser', 'requireAdmin', 'requireAdminOrUser'] },
})
