import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Page, strict, Uuid } from '../../services/catalogue/schema.js'
import { InvalidRequestError } from '../../services/errors.js'
import { ownerOf } from './owner.js'
import { answerDeleted, answerLookup, answerSaved, type Lookup } from './reading.js'

type Document = NonNullable<Lookup['value']>

/** A list query that fits the route's schema. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** What these routes ask of a domain's service. Bodies have passed the domain's schemas when they get there. */
export interface RowService {
  peek(userId: string, id: string): Lookup | undefined
  get(userId: string, id: string): Promise<Lookup>
  peekList(userId: string, query: Query): Lookup | undefined
  list(userId: string, query: Query): Promise<Lookup>
  getMany(userId: string, ids: readonly string[]): Promise<Lookup>
  create(userId: string, body: unknown): Promise<Saved>
  update(userId: string, id: string, change: unknown, ifMatch?: string): Promise<Saved>
  delete(userId: string, id: string, ifMatch?: string): Promise<string>
}

interface Saved {
  readonly id: string
  readonly document: Document
  readonly version: string
}

export interface OwnedRowRoutes {
  readonly rows: RowService
  /** What an error calls one row, and its path parameter: `design`, `:design_id`. */
  readonly kind: string
  readonly schemas: {
    readonly item: TSchema
    readonly creation: TSchema
    readonly change: TSchema
    readonly query: TSchema
  }
}

/** As the schema of the other routes has it (plugins/validation.ts). */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface ItemRequest {
  Params: Record<string, string>
}

/**
 * The routes of one owned domain, under the prefix of the plugin that calls this: every user sees and changes their
 * own rows only. A fresh hit in memory is answered at once: `peek` first, a promise only when it has nothing.
 */
export function addOwnedRowRoutes(fastify: FastifyInstance, routes: OwnedRowRoutes): void {
  const { rows, kind, schemas } = routes
  const idName = `${kind}_id`
  const item = `/:${idName}`
  const params = Type.Object({ [idName]: Uuid }, strict)
  const idIn = (request: { readonly params: Record<string, string> }): string => request.params[idName] ?? ''

  fastify.addHook('onRequest', fastify.requireUser)

  fastify.get<{ Querystring: Query }>(
    '/',
    { schema: { querystring: schemas.query, response: { 200: Page(schemas.item) } } },
    (request, reply) => {
      const userId = ownerOf(request)
      const ids = idsIn(request.query)
      const answer = (lookup: Lookup): FastifyReply => answerLookup(request, reply, lookup, kind)
      const read = (): Promise<Lookup> =>
        ids === undefined ? rows.list(userId, request.query) : rows.getMany(userId, ids)
      const hit = ids === undefined ? rows.peekList(userId, request.query) : undefined
      if (hit !== undefined) return void answer(hit)
      return read().then(answer)
    },
  )

  // Without a schema for the id: a hit proves it, and what is no hit is checked below.
  fastify.get<ItemRequest>(item, { schema: { response: { 200: schemas.item } } }, (request, reply) => {
    const userId = ownerOf(request)
    const id = idIn(request)
    const hit = rows.peek(userId, id)
    if (hit !== undefined) return void answerLookup(request, reply, hit, kind)
    if (!UUID.test(id)) throw new InvalidRequestError(`path: ${idName} must match format "uuid"`)
    return rows.get(userId, id).then((found) => answerLookup(request, reply, found, kind))
  })

  fastify.post('/', { schema: { body: schemas.creation, response: { 201: schemas.item } } }, async (request, reply) => {
    const saved = await rows.create(ownerOf(request), request.body)
    reply.code(201).header('location', `${fastify.prefix}/${saved.id}`)
    return answerSaved(reply, saved)
  })

  fastify.patch<ItemRequest>(
    item,
    { schema: { params, body: schemas.change, response: { 200: schemas.item } } },
    async (request, reply) => {
      const ifMatch = request.headers['if-match']
      return answerSaved(reply, await rows.update(ownerOf(request), idIn(request), request.body, ifMatch))
    },
  )

  fastify.delete<ItemRequest>(item, { schema: { params } }, async (request, reply) => {
    return answerDeleted(reply, await rows.delete(ownerOf(request), idIn(request), request.headers['if-match']))
  })
}

/** @throws InvalidRequestError when ids come with a filter or a page */
function idsIn({ ids, ...others }: Query): string[] | undefined {
  if (typeof ids !== 'string') return undefined
  if (Object.keys(others).length > 0) throw new InvalidRequestError('query: ids can not be combined with other keys')
  return ids.split(',')
}
