import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import fp from 'fastify-plugin'
import { templateSchemas } from '../../../services/templates/schema.js'
import { ByExternalId, ById, Page } from '../../../services/resource/schema.js'
import { answerDeleted, answerSaved } from '../answers.js'
import {
  answerCreated,
  answerList,
  answerRow,
  answerRowByExternalId,
  idempotencyKeyOf,
  ownerOf,
  preconditionsOf,
} from '../resource.js'

const { item, creation, change, query } = templateSchemas

const routes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { templates } = fastify
  fastify.addHook('onRequest', fastify.requireUser)

  fastify.get('/', { schema: { querystring: query, response: { 200: Page(item) } } }, (request, reply) =>
    answerList(request, reply, templates, request.query),
  )

  fastify.get('/:id', { schema: { params: ById, response: { 200: item } } }, (request, reply) =>
    answerRow(request, reply, templates, request.params.id),
  )

  fastify.get(
    '/by-external-id/:external_id',
    { schema: { params: ByExternalId, response: { 200: item } } },
    (request, reply) => answerRowByExternalId(request, reply, templates, request.params.external_id),
  )

  fastify.post('/', { schema: { body: creation, response: { 201: item } } }, async (request, reply) =>
    answerCreated(request, reply, await templates.create(ownerOf(request), request.body, idempotencyKeyOf(request))),
  )

  fastify.patch('/:id', { schema: { params: ById, body: change, response: { 200: item } } }, async (request, reply) => {
    const { params, body } = request
    return answerSaved(reply, await templates.update(ownerOf(request), params.id, body, preconditionsOf(request)))
  })

  fastify.delete('/:id', { schema: { params: ById } }, async (request, reply) => {
    const deleted = await templates.delete(ownerOf(request), request.params.id, preconditionsOf(request))
    return answerDeleted(reply, deleted)
  })
}

export default fp(routes, {
  name: 'template-routes',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['validation'],
  decorators: { fastify: ['templates', 'requireUser'] },
})
