import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ownerOf, preconditionsOf } from '../resource.js'
import { answerLookup, answerSaved } from '../answers.js'
import { guardScope } from '../guard-scope.js'
import { changeMe, readMe } from './schemas.js'

/** The user who is asking. */
export const me: FastifyPluginAsyncTypebox = async (fastify) => {
  const { users } = fastify
  guardScope(fastify, fastify.requireUser)

  fastify.get('/me', { schema: readMe }, async (request, reply) => {
    return answerLookup(request, reply, await users.get(ownerOf(request)), 'user')
  })

  fastify.patch('/me', { schema: changeMe }, async (request, reply) =>
    answerSaved(reply, await users.updateOwn(ownerOf(request), request.body, preconditionsOf(request))),
  )
}
