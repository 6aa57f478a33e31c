import type { FastifyInstance } from 'fastify'
import { administration } from './administration.js'
import { me } from './me.js'
import { tokens } from './tokens.js'

/** Under `/api/users`. Each part is a scope of its own, with its own guard. */
export default async function users(fastify: FastifyInstance): Promise<void> {
  await fastify.register(administration)
  await fastify.register(me)
  await fastify.register(tokens)
}
