import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answerDeleted, answerDocument, answerLookup, answerSaved } from '../answers.js'
import { guardScope } from '../guard-scope.js'
import { answerCreated, preconditionsOf } from '../resource.js'
import { changeUser, createUser, deleteUser, listUsers, readUser } from './schemas.js'

/** Users, for administrators. */
export const administration: FastifyPluginAsyncTypebox = async (fastify) => {
  const { users } = fastify
  guardScope(fastify, fastify.requireAdmin)

  fastify.get('/', { schema: listUsers }, async (request, reply) =>
    answerDocument(request, reply, await users.list(request.query)),
  )

  fastify.post('/', { schema: createUser }, async (request, reply) => {
    return answerCreated(request, reply, await users.create(request.body))
  })

  fastify.get('/:user_id', { schema: readUser }, async (request, reply) => {
    return answerLookup(request, reply, await users.get(request.params.user_id), 'user')
  })

  fastify.patch('/:user_id', { schema: changeUser }, async (request, reply) => {
    const { params, body } = request
    return answerSaved(reply, await users.update(params.user_id, body, preconditionsOf(request)))
  })

  fastify.delete('/:user_id', { schema: deleteUser }, async (request, reply) => {
    return answerDeleted(reply, await users.delete(request.params.user_id, preconditionsOf(request)))
  })
}
