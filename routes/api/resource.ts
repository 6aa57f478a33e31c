import type { FastifyReply, FastifyRequest } from 'fastify'
import { InvalidRequestError, UnauthorizedError } from '../../services/errors.js'
import { answerLookup, answerSaved, type Lookup, type Saved } from './answers.js'

/**
 * The id of the user who is asking: whose rows the request is about.
 * @throws UnauthorizedError outside the scope of `requireUser`
 */
export function ownerOf(request: FastifyRequest): string {
  const id = request.user?.id
  if (id === undefined) throw new UnauthorizedError()
  return id
}

/** What a write asks of the row that it meets. */
export function preconditionsOf({ headers }: FastifyRequest) {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] }
}

/** The reads of a resource's service, with its list's query. */
interface Reads<Query> {
  /** What an error calls one row: `design`. */
  readonly kind: string
  peek(userId: string, id: string): Lookup | undefined
  get(userId: string, id: string): Promise<Lookup>
  peekByExternalId(userId: string, externalId: string): Lookup | undefined
  getByExternalId(userId: string, externalId: string): Promise<Lookup>
  peekList(userId: string, query: Query): Lookup | undefined
  list(userId: string, query: Query): Promise<Lookup>
  getMany(userId: string, ids: readonly string[], cursor?: string): Promise<Lookup>
}

/*
 * A fresh hit in memory is answered at once: `peek` first, a promise only when it has nothing.
 */

/** Answers with one of the caller's rows. */
export function answerRow(
  request: FastifyRequest,
  reply: FastifyReply,
  reads: Omit<Reads<never>, 'list' | 'peekList'>,
  id: string,
): void | Promise<void> {
  const userId = ownerOf(request)
  const hit = reads.peek(userId, id)
  if (hit !== undefined) return void answerLookup(request, reply, hit, reads.kind)
  return reads.get(userId, id).then((found) => void answerLookup(request, reply, found, reads.kind))
}

/** Answers with the one of the caller's rows that has this key of theirs. */
export function answerRowByExternalId(
  request: FastifyRequest,
  reply: FastifyReply,
  reads: Omit<Reads<never>, 'list' | 'peekList'>,
  externalId: string,
): void | Promise<void> {
  const userId = ownerOf(request)
  const hit = reads.peekByExternalId(userId, externalId)
  if (hit !== undefined) return void answerLookup(request, reply, hit, reads.kind)
  return reads.getByExternalId(userId, externalId).then((found) => void answerLookup(request, reply, found, reads.kind))
}

/**
 * Answers with a page of the caller's rows, or with those that `ids` names.
 * @throws InvalidRequestError when `ids` come with anything else than a cursor
 */
export function answerList<Query extends { readonly ids?: string; readonly cursor?: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  reads: Reads<Query>,
  query: Query,
): void | Promise<void> {
  const userId = ownerOf(request)
  const answer = (lookup: Lookup): void => void answerLookup(request, reply, lookup, reads.kind)
  if (query.ids !== undefined) {
    const { ids, cursor, ...others } = query
    if (Object.keys(others).length > 0) throw new InvalidRequestError('query: ids can be combined with a cursor only')
    return reads.getMany(userId, ids.split(','), cursor).then(answer)
  }
  const hit = reads.peekList(userId, query)
  if (hit === undefined) return reads.list(userId, query).then(answer)
  return answer(hit)
}

/** 1 to 255 printable characters, in quotes as the IETF's draft has it, or as they are. */
const IDEMPOTENCY_KEY = /^(?:"(?<quoted>[ !#-[\]-~]{1,255})"|(?<bare>[ !#-[\]-~]{1,255}))$/

/**
 * By what the caller knows this create when it is sent again: its header Idempotency-Key.
 * @throws InvalidRequestError
 */
export function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const header = headers['idempotency-key']
  if (header === undefined) return undefined
  const { quoted, bare } = IDEMPOTENCY_KEY.exec(String(header))?.groups ?? {}
  const key = quoted ?? bare
  if (key === undefined) {
    throw new InvalidRequestError('headers: idempotency-key must be 1 to 255 printable characters, such as a UUID')
  }
  return key
}

/** Answers a create: 201, and where the row is from now on. */
export function answerCreated(request: FastifyRequest, reply: FastifyReply, saved: Saved): FastifyReply {
  if (saved.isRepeated === true) reply.header('idempotency-replayed', 'true')
  return answerSaved(reply.code(201).header('location', locationOf(request, saved.id)), saved)
}

/** Answers a write that replaces a row (200), or makes it: 201, and where it is by its id. */
export function answerReplaced(
  request: FastifyRequest,
  reply: FastifyReply,
  saved: Saved & { readonly isNew: boolean },
): FastifyReply {
  if (!saved.isNew) return answerSaved(reply, saved)
  const { url } = request
  const [path = ''] = url.split(/[?#]/, 1)
  return answerSaved(reply.code(201).header('location', `${path.endsWith('/') ? '../' : ''}../${saved.id}`), saved)
}

/**
 * Where something is that a POST to a list has made, relative to the URL of that list: a proxy may have put anything before our path, and
 * only the client knows what it asked for.
 */
export function locationOf({ url }: FastifyRequest, id: string): string {
  const [path = ''] = url.split(/[?#]/, 1)
  const last = path.slice(path.lastIndexOf('/') + 1)
  return last === '' ? id : `${last}/${id}`
}
