import type { IncomingMessage } from 'node:http'
import type { FastifyError as CatalogueError } from '@fastify/error'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { JournalUnavailableError } from '../../services/cache/index.js'
import { DatabaseUnavailableError, isPassing, sqlState } from '../../services/database/errors.js'
import * as catalogue from '../../services/errors.js'
import { STATUS_TEXTS } from '../../services/status-texts.js'
import { AnswerLog } from '../logging.js'
import { validationMessage } from '../../services/validation-message.js'
import { acceptedTypes, hasBody, isBodyAskedFor } from './bodies.js'
import { collectPaths, notAnId, notFoundByWord } from './path-words.js'
import { NO_SNIFFING } from './security-headers.js'

export type { CatalogueError }

declare module 'fastify' {
  interface FastifyInstance {
    /** Where each answer that failed or was refused leaves its line. */
    answerLog: AnswerLog
    /** The body that a request would be answered with, had it failed so. */
    errorBody(error: unknown, request: FastifyRequest): ReturnType<typeof errorBody>
  }
  interface FastifyRequest {
    /** What made this request fail with a 5xx; the line of the request logs it. */
    failure: unknown
  }
}

const RETRY_AFTER_SECONDS = 2

/** Made once: it is the answer to thousands a second while there is too much to do, and then nothing else may cost much. */
const BUSY = new catalogue.ServiceUnavailableError()
const BUSY_BODY = JSON.stringify(errorBody(BUSY))

const CATALOGUE: ReadonlySet<unknown> = new Set(Object.values(catalogue))

/** How much of a body that nobody wants is still read, and for how long: a client that sends has to get to where it reads. */
const MOST_REST_BYTES = 16 * 1_048_576
const LONGEST_REST_MS = 30_000

/** A bearer token came along, so that RFC 6750 section 3.1 wants to hear that it was refused. */
const PRESENTED_TOKEN = /^Bearer +\S/i

/**
 * The error that leaves the service for `error`: always one of the catalogue, so that no text of a driver, a library or
 * a bug gets out.
 */
export function publicError(error: unknown, requestId: string): CatalogueError {
  if (isCatalogued(error)) return error
  if (error instanceof DatabaseUnavailableError || error instanceof JournalUnavailableError) {
    return BUSY
  }
  const state = sqlState(error)
  if (state !== undefined) return forSqlState(state) ?? new catalogue.InternalError(requestId)
  return forStatus(error) ?? new catalogue.InternalError(requestId)
}

function isCatalogued(error: unknown): error is CatalogueError {
  return error instanceof Error && CATALOGUE.has(error.constructor)
}

/** A safety net under the checks of the services: a value the database refused is the caller's mistake. */
function forSqlState(state: string): CatalogueError | undefined {
  if (state.startsWith('22')) return new catalogue.InvalidRequestError('A value is out of range or malformed')
  if (state === '23505' || state === '23503') return new catalogue.ConflictError()
  return isPassing(state) ? new catalogue.ServiceUnavailableError() : undefined
}

/** Errors of Fastify and its plugins, by their status; `undefined` for what has no status of its own. */
function forStatus(error: unknown): CatalogueError | undefined {
  if (!(error instanceof Error && 'statusCode' in error)) return undefined
  switch (error.statusCode) {
    case 400:
    case 414:
      return forBadRequest(error)
    case 401:
      return new catalogue.UnauthorizedError()
    case 403:
      return new catalogue.ForbiddenError()
    case 413:
      return new catalogue.BodyTooLargeError()
    case 415:
      return new catalogue.UnsupportedMediaTypeError()
    case 429:
      return new catalogue.TooManyRequestsError()
    case 503:
      return new catalogue.ServiceUnavailableError()
    default:
      return undefined
  }
}

function forBadRequest(error: Error): CatalogueError {
  if ('code' in error && String(error.code).startsWith('FST_ERR_CTP_')) return new catalogue.MalformedBodyError()
  if ('validation' in error && Array.isArray(error.validation)) {
    const part = 'validationContext' in error ? String(error.validationContext) : 'request'
    return new catalogue.InvalidRequestError(validationMessage(part, error.validation))
  }
  return new catalogue.InvalidRequestError(forUrl('code' in error ? error.code : undefined) ?? error.message)
}

/** The router's own messages repeat the URL, however long it is. Here it refuses nothing: see plugins/http/urls.ts. */
function forUrl(code: unknown): string | undefined {
  if (code === 'FST_ERR_BAD_URL') return 'The path is not UTF-8 in percent-encoding: write é as %C3%A9, and % as %25'
  return code === 'FST_ERR_MAX_PARAM_LENGTH' ? 'path: one of its parts is too long to be an id' : undefined
}

/**
 * Answers with the one error body `{statusCode, code, error, message}`. It is the error handler of the app, and must be
 * its `frameworkErrors` too: errors of the router (a malformed URL) do not pass through error handlers.
 */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = publicError(wordOf(error, request) ?? error, request.id)
  const { statusCode = 500 } = known
  if (statusCode >= 500 && !(known instanceof catalogue.UnsupportedTransferCodingError)) request.failure = error
  if (statusCode === 401) void reply.header('www-authenticate', challenge(request.headers.authorization))
  if ((statusCode === 503 || statusCode === 429) && !reply.hasHeader('retry-after'))
    void reply.header('retry-after', RETRY_AFTER_SECONDS)
  if (statusCode === 415) sayWhatIsTaken(request, reply)
  // What the router refuses is not asked for either.
  if (!isBodyAskedFor(reply.raw)) void reply.header('connection', 'close')
  else if (hasBody(request) && !request.raw.complete) readTheRest(request.raw, reply)
  void reply.code(statusCode)
  request.server.answerLog.line(request, reply)
  // What the router refuses has met no hook.
  void reply.header(...NO_SNIFFING)
  void reply
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(known instanceof catalogue.ServiceUnavailableError ? BUSY_BODY : errorBody(known))
}

/** The answer to a path that is wrong only in that a word stands where an id should. */
function wordOf(error: unknown, request: FastifyRequest): Error | undefined {
  if (!(error instanceof Error && 'validation' in error && Array.isArray(error.validation))) return undefined
  if (!('validationContext' in error) || error.validationContext !== 'params') return undefined
  const finding = notAnId(error.validation)
  return finding && notFoundByWord(finding, request)
}

/** The one body that every error has. */
export function errorBody({ statusCode = 500, code, message }: CatalogueError) {
  return { statusCode, code, error: STATUS_TEXTS[statusCode], message }
}

/** RFC 9110, 15.5.16, and RFC 5789, 2.2. */
function sayWhatIsTaken({ method }: FastifyRequest, reply: FastifyReply): void {
  reply.header('accept-encoding', 'identity')
  for (const [header, value] of acceptedTypes(method)) reply.header(header, value)
}

/**
 * Reads on without keeping anything, up to a bound. A connection that ends with this answer says so, and ends after that: closed while
 * the client sends, it would be reset, and the answer lost. Fastify would end one that can go on.
 */
function readTheRest(body: IncomingMessage, reply: FastifyReply): void {
  const { socket } = body
  reply.removeHeader('connection')
  if (!reply.raw.shouldKeepAlive) {
    void reply.header('connection', 'close')
    const end = socket.destroySoon.bind(socket)
    // Node calls it behind an answer that is the last.
    socket.destroySoon = () => void (body.complete ? end() : body.once('end', end))
  }
  const timer = setTimeout(() => body.destroy(), LONGEST_REST_MS).unref()
  let bytes = 0
  body.on('data', ({ length }: Buffer) => {
    bytes += length
    if (bytes > MOST_REST_BYTES) body.destroy()
  })
  body.once('end', () => clearTimeout(timer))
}

function challenge(authorization: string | undefined): string {
  const realm = 'Bearer realm="roundhouse"'
  return PRESENTED_TOKEN.test(authorization ?? '') ? `${realm}, error="invalid_token"` : realm
}

/** One error body for everything that fails. */
export default fp(
  async (fastify) => {
    fastify.decorateRequest('failure', undefined)
    fastify.decorate('answerLog', new AnswerLog())
    collectPaths(fastify)
    fastify.setErrorHandler(answerError)
    fastify.decorate('errorBody', (error, request) => errorBody(publicError(error, request.id)))
  },
  { name: 'errors', fastify: '5.x' },
)
