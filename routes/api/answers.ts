import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { NotFoundError, PreconditionFailedError, ServiceUnavailableError } from '../../services/errors.js'
import { takesGzip } from './accept-encoding.js'

/** What the cache answers a read with. */
export type Lookup = Awaited<ReturnType<FastifyInstance['designs']['get']>>

export type Document = NonNullable<Lookup['value']>

const JSON_TYPE = 'application/json; charset=utf-8'

/** Shared caches keep nothing, private ones ask each time: only then does a write show at once. */
const PRIVATE = 'private, no-cache'

/**
 * Answers with a cached document, or 304 when the caller has it; says in Cache-Status (RFC 9211) how it was found.
 * The text goes out as it is: with a content type set, Fastify passes strings by its serializer.
 * @param kind what a missing document would have been: `design`
 * @throws NotFoundError when there is no document, ServiceUnavailableError when the caller may not see it now
 */
export function answerLookup(request: FastifyRequest, reply: FastifyReply, lookup: Lookup, kind: string): FastifyReply {
  // Whoever could not be checked is answered with what is marked, and with nothing newer.
  if (request.user?.isStale === true && lookup.outcome !== 'stale-if-error') throw new ServiceUnavailableError()
  reply.header('cache-status', cacheStatus(lookup))
  reply.answeredBy = lookup.tier ?? 'miss'
  if (lookup.outcome === 'stale-if-error') reply.header('age', Math.floor(lookup.ageMs / 1000))
  const { value: document } = lookup
  if (document === undefined) throw new NotFoundError(kind)
  if (document.isLarge) return answerLarge(request, reply, document, { isKept: lookup.tier === 'memory' })
  return answerSmall(request, reply, document)
}

/** Answers with a document that no cache was asked for, or 304 when the caller has it. */
export function answerDocument(request: FastifyRequest, reply: FastifyReply, document: Document): FastifyReply {
  if (document.isLarge) return answerLarge(request, reply, document, { isKept: false })
  return answerSmall(request, reply, document)
}

function answerSmall(request: FastifyRequest, reply: FastifyReply, document: Document): FastifyReply {
  reply.header('vary', 'Authorization')
  return isKnown(request, document) ? answerKnown(reply, document.etag) : answerBody(reply, document)
}

/**
 * The compressed copy goes out to who takes it, once there is one. Either ETag in If-None-Match is the document that the
 * caller has; the 304 names the one that a 200 would have had now (RFC 9110, section 15.4.5).
 */
function answerLarge(
  request: FastifyRequest,
  reply: FastifyReply,
  document: Document,
  /** Whether memory has it: what is gone after this answer is not worth compressing. */
  { isKept }: { readonly isKept: boolean },
): FastifyReply {
  reply.header('vary', 'Authorization, Accept-Encoding')
  const isGzipTaken = takesGzip(request.headers['accept-encoding'])
  const copy = isGzipTaken ? document.gzip : undefined
  const etag = copy === undefined ? document.etag : document.gzipEtag
  if (isKnown(request, document)) return answerKnown(reply, etag)
  if (copy !== undefined) return answerBody(reply.header('content-encoding', 'gzip'), { body: copy, etag })
  const { body } = document
  if (isGzipTaken && isKept) document.compressLater()
  return answerBody(reply, { body, etag })
}

/** A row that was just written. */
export interface Saved {
  readonly id: string
  readonly document: Document
  readonly version: string
  readonly isRepeated?: boolean
}

/** Answers a write with what it wrote, and with its version for a read that must not be older. */
export function answerSaved(reply: FastifyReply, saved: Saved): FastifyReply {
  return answerBody(reply.header('roundhouse-version', saved.version), saved.document)
}

/** Answers a delete. */
export function answerDeleted(reply: FastifyReply, version: string): FastifyReply {
  return reply.header('roundhouse-version', version).code(204).send()
}

function answerBody(reply: FastifyReply, { body, etag }: Pick<Document, 'body' | 'etag'>): FastifyReply {
  return reply.header('cache-control', PRIVATE).header('etag', etag).header('content-type', JSON_TYPE).send(body)
}

function answerKnown(reply: FastifyReply, etag: string): FastifyReply {
  return reply.header('cache-control', PRIVATE).header('etag', etag).code(304).send()
}

/**
 * Whether If-None-Match names the document.
 * @throws PreconditionFailedError when If-Match names another one, InvalidRequestError for a header that is no list of ETags
 */
function isKnown({ headers }: FastifyRequest, document: Document): boolean {
  const { 'if-match': expected, 'if-none-match': known } = headers
  if (expected !== undefined && !document.isNamedBy('if-match', expected)) throw new PreconditionFailedError()
  return known !== undefined && document.isNamedBy('if-none-match', known)
}

/** Of hits in memory, by their ttl in seconds: made once, since every answer has one. */
const memoryHits: string[] = []
const LONGEST_KEPT_TTL = 3_600

/** The value of Cache-Status for one lookup. A ttl is in whole seconds, negative once the entry is stale by time. */
export function cacheStatus({ outcome, tier, ttlMs, stored, collapsed }: Lookup): string {
  const ttl = Math.floor(ttlMs / 1000)
  switch (outcome) {
    case 'hit':
    case 'stale':
      return tier === 'memory' && ttl >= 0 && ttl < LONGEST_KEPT_TTL
        ? (memoryHits[ttl] ??= hitStatus(ttl, tier))
        : hitStatus(ttl, tier)
    case 'stale-if-error':
      return hitStatus(ttl, outcome)
    case 'bypass':
      return 'roundhouse; fwd=bypass'
    case 'miss':
      return `roundhouse; fwd=miss${stored ? '; stored' : ''}${collapsed ? '; collapsed' : ''}`
  }
}

function hitStatus(ttl: number, detail: string | undefined): string {
  return `roundhouse; hit; ttl=${ttl}; detail=${detail}`
}
