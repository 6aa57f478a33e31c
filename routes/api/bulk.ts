import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BulkRefusedError, InvalidRequestError, NotWrittenError, TooManyReadsError } from '../../services/errors.js'
import { ExternalId, OneOf, strict, Uuid } from '../../services/resource/schema.js'
import { idempotencyKeyOf, ownerOf } from './resource.js'

type Resource = FastifyInstance['resources'] extends ReadonlyMap<string, infer Service> ? Service : never
type Outcome = Parameters<Parameters<Resource['bulk']>[2]['told']>[0]

/** The largest body, in bytes. */
export const BULK_LIMIT_BYTES = 1_048_576

export const MOST_OPERATIONS = 1_000

/** Bulks of a user into one resource that a replica has at a time, from their headers to their answers: each may be a megabyte of memory. */
const MOST_OF_USER = 20

/**
 * For `onRequest`, behind the check of the token: lets so many in, and refuses the others before a byte of their bodies is kept.
 * @throws TooManyReadsError
 */
export function bulkGate(): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const inside = new Map<string, number>()
  return async (request, reply) => {
    const userId = ownerOf(request)
    const count = inside.get(userId) ?? 0
    if (count >= MOST_OF_USER) throw new TooManyReadsError()
    inside.set(userId, count + 1)
    // Also when the client goes before there is an answer.
    reply.raw.once('close', () => {
      const left = (inside.get(userId) ?? 1) - 1
      if (left === 0) inside.delete(userId)
      else inside.set(userId, left)
    })
  }
}

const Item = Type.Object(
  {
    op: OneOf(['create', 'update', 'upsert', 'delete']),
    id: Type.Optional(Uuid),
    external_id: Type.Optional(ExternalId),
    row: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    if_match: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000 })),
  },
  strict,
)
type Item = Static<typeof Item>
type Schemas = Resource['definition']['schemas']

export const BulkBody = Type.Object(
  {
    // Each is judged for itself, so that one which is wrong does not stand in the way of the others.
    operations: Type.Array(Type.Unsafe<Item>(Type.Object({}, { additionalProperties: true })), {
      minItems: 1,
      maxItems: 1_000,
    }),
    atomic: Type.Optional(Type.Boolean()),
  },
  strict,
)

const Result = Type.Object({
  status: Type.Integer(),
  id: Type.Optional(Uuid),
  external_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  version: Type.Optional(Type.Integer()),
  code: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
})

/** One result for each operation, in their order: with a `code` where it was refused. For the API reference: the answer is text already. */
export const BulkAnswer = Type.Unsafe<unknown>(Type.Object({ results: Type.Array(Result) }))

/** Answers with what became of each operation, in their order: 200 whatever became of them, but 422 when all or nothing was asked for. */
export async function answerBulk(
  request: FastifyRequest,
  reply: FastifyReply,
  resource: Resource,
  { operations, atomic = false }: Static<typeof BulkBody>,
): Promise<FastifyReply> {
  const { schemas } = resource.definition
  const told = (outcome: Outcome): object =>
    outcome instanceof Error ? toldError(request, outcome) : toldDone(outcome)
  reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
  const key = idempotencyKeyOf(request)
  const answer = await resource.bulk(ownerOf(request), operations, {
    judged: (item) => judged(request, schemas, item),
    isAtomic: atomic,
    key,
    told,
  })
  if ('version' in answer) {
    if (answer.isRepeated) reply.header('idempotency-replayed', 'true')
    return reply.header('roundhouse-version', answer.version).send(`{"results":${answer.results}}`)
  }
  const refused = answer.filter((outcome) => outcome instanceof Error)
  const results = answer.map((outcome) => told(outcome instanceof Error ? outcome : new NotWrittenError()))
  const error = request.server.errorBody(new BulkRefusedError(refused.length), request)
  return reply.code(error.statusCode).send({ ...error, results })
}

/** The operation, or what is wrong with it. A row is judged as the body of such a request would be. */
function judged(request: FastifyRequest, { creation, replacement, change }: Schemas, item: Item): Item | Error {
  const { op, row } = item
  const fault = request.faultIn('operation', Item, item)
  if (fault !== undefined) return new InvalidRequestError(fault)
  if (op === 'delete') return item
  if (row === undefined) return new InvalidRequestError('operation: row is missing')
  const inRow = request.faultIn('row', { create: creation, upsert: replacement, update: change }[op], row)
  return inRow === undefined ? item : new InvalidRequestError(inRow)
}

function toldError(request: FastifyRequest, error: Error): object {
  const { statusCode, code, message } = request.server.errorBody(error, request)
  return { status: statusCode, code, message }
}

function toldDone({ status, id, external_id, version }: Exclude<Outcome, Error>): object {
  return { status, id, external_id, ...(version !== undefined && { version }) }
}
