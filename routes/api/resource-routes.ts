import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ByExternalId, ById, Page } from '../../services/resource/schema.js'
import { answerDeleted, answerSaved } from './answers.js'
import { addExportRoute } from './export.js'
import { answerBulk, BULK_LIMIT_BYTES, BulkAnswer, BulkBody, bulkGate } from './bulk.js'
import { guardScope } from './guard-scope.js'
import {
  answerCreated,
  answerList,
  answerReplaced,
  answerRow,
  answerRowByExternalId,
  idempotencyKeyOf,
  ownerOf,
  preconditionsOf,
} from './resource.js'

type ResourceService = FastifyInstance['resources'] extends ReadonlyMap<string, infer Service> ? Service : never

/** What every resource has under its own prefix, for whoever comes with the token of a user: their rows, and nobody else's. */
const routes: FastifyPluginAsyncTypebox<{ readonly resource: ResourceService }> = async (fastify, { resource }) => {
  const { item, creation, replacement, change, query } = resource.definition.schemas
  guardScope(fastify, fastify.requireUser)

  fastify.get('/', { schema: { querystring: query, response: { 200: Page(item) } } }, (request, reply) =>
    answerList(request, reply, resource, request.query),
  )

  if (fastify.hasDecorator('exports')) addExportRoute(fastify, resource.definition)

  fastify.get('/:id', { schema: { params: ById, response: { 200: item } } }, (request, reply) =>
    answerRow(request, reply, resource, request.params.id),
  )

  fastify.get(
    '/by-external-id/:external_id',
    { schema: { params: ByExternalId, response: { 200: item } } },
    (request, reply) => answerRowByExternalId(request, reply, resource, request.params.external_id),
  )

  fastify.put(
    '/by-external-id/:external_id',
    { schema: { params: ByExternalId, body: replacement, response: { 200: item, 201: item } } },
    async (request, reply) => {
      const { params, body } = request
      const userId = ownerOf(request)
      const saved = await resource.replaceByExternalId(userId, params.external_id, body, preconditionsOf(request))
      return answerReplaced(request, reply, saved)
    },
  )

  fastify.delete('/by-external-id/:external_id', { schema: { params: ByExternalId } }, async (request, reply) => {
    const { external_id: externalId } = request.params
    return answerDeleted(
      reply,
      await resource.deleteByExternalId(ownerOf(request), externalId, preconditionsOf(request)),
    )
  })

  fastify.post('/', { schema: { body: creation, response: { 201: item } } }, async (request, reply) =>
    answerCreated(request, reply, await resource.create(ownerOf(request), request.body, idempotencyKeyOf(request))),
  )

  fastify.post(
    '/bulk',
    {
      onRequest: bulkGate(),
      bodyLimit: BULK_LIMIT_BYTES,
      schema: { body: BulkBody, response: { 200: BulkAnswer } },
    },
    (request, reply) => answerBulk(request, reply, resource, request.body),
  )

  fastify.put(
    '/:id',
    { schema: { params: ById, body: replacement, response: { 200: item } } },
    async (request, reply) => {
      const { params, body } = request
      return answerSaved(reply, await resource.replace(ownerOf(request), params.id, body, preconditionsOf(request)))
    },
  )

  fastify.patch('/:id', { schema: { params: ById, body: change, response: { 200: item } } }, async (request, reply) => {
    const { params, body } = request
    return answerSaved(reply, await resource.update(ownerOf(request), params.id, body, preconditionsOf(request)))
  })

  fastify.delete('/:id', { schema: { params: ById } }, async (request, reply) => {
    const deleted = await resource.delete(ownerOf(request), request.params.id, preconditionsOf(request))
    return answerDeleted(reply, deleted)
  })
}

export default fp(routes, {
  name: 'resource-routes',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['validation'],
  decorators: { fastify: ['requireUser'] },
})
