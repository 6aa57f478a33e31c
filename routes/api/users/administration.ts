import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answerDocument, answerLookup, answerWritten } from '../reading.js'
import { changeUser, createUser, deleteUser, listUsers, readUser } from './schemas.js'

/** Users, for administrators. */
export const administration: FastifyPluginAsyncTypebox = async (fastify) => {
  const { users } = fastify
  fastify.addHook('onRequest', fastify.requireAdmin)

  fastify.get('/', { schema: listUsers }, async (request, reply) =>
    answerDocument(request, reply, await users.list(request.query)),
  )

  fastify.post('/', { schema: createUser }, async (request, reply) => {
    const { id, document } = await users.create(request.body)
    reply.code(201).header('location', `${fastify.prefix}/${id}`)
    return answerWritten(reply, document)
  })

  fastify.get('/:user_id', { schema: readUser }, async (request, reply) =>
    answerLookup(request, reply, await users.get(request.params.user_id), 'user'),
  )

  fastify.patch('/:user_id', { schema: changeUser }, async (request, reply) => {
    const { params, body, headers } = request
    return answerWritten(reply, await users.update(params.user_id, body, headers['if-match']))
  })

  fastify.delete('/:user_id', { schema: deleteUser }, async (request, reply) => {
    await users.delete(request.params.user_id, request.headers['if-match'])
    return reply.code(204).send()
  })
}
