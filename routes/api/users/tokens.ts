import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answerDeleted, answerDocument } from '../answers.js'
import { guardScope } from '../guard-scope.js'
import { locationOf } from '../resource.js'
import { createToken, deleteToken, listTokens } from './schemas.js'

/** Tokens of one user, for administrators and that user. */
export const tokens: FastifyPluginAsyncTypebox = async (fastify) => {
  guardScope(fastify, fastify.requireAdminOrUser)

  fastify.get('/:user_id/tokens', { schema: listTokens }, async (request, reply) =>
    answerDocument(request, reply, await fastify.tokens.list(request.params.user_id, request.query)),
  )

  // The text of the token is in this answer and in no other: nothing on the way may keep it.
  fastify.post('/:user_id/tokens', { schema: createToken }, async (request, reply) => {
    const { user_id: userId } = request.params
    const { issued, version } = await fastify.tokens.create(userId, request.body, request.user?.tokenId)
    reply.code(201).header('location', locationOf(request, issued.id)).header('roundhouse-version', version)
    return reply.header('cache-control', 'no-store').send(issued)
  })

  fastify.delete('/:user_id/tokens/:token_id', { schema: deleteToken }, async (request, reply) => {
    return answerDeleted(reply, await fastify.tokens.delete(request.params.user_id, request.params.token_id))
  })
}
