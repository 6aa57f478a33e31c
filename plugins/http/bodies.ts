import { isUtf8 } from 'node:buffer'
import type { ServerResponse } from 'node:http'
import type { FastifyBodyParser, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { LARGE_WORK, ownTurn } from '../../services/documents/own-turn.js'
import {
  InvalidRequestError,
  MalformedBodyError,
  UnsupportedCodingError,
  UnsupportedMediaTypeError,
  UnsupportedTransferCodingError,
} from '../../services/errors.js'
import { poisonousName } from '../../services/json-names.js'
import { inexactNumber } from '../../services/json-numbers.js'
import { faultText } from '../../services/texts.js'

const JSON_TYPE = 'application/json'

const NO_CHUNKS_IN_1_0 = 'headers: HTTP/1.0 knows no Transfer-Encoding: send Content-Length, or ask by HTTP/1.1'

/** JSON is always UTF-8 (RFC 8259, 8.1): a body that says otherwise would be read as what it is not. */
const OTHER_CHARSET = /;\s*charset\s*=(?!\s*"?utf-?8\b)/i

/**
 * Bodies are JSON in UTF-8, as they are: nothing else is guessed at, and no byte becomes U+FFFD. Where a route takes no body an empty
 * one is none, whatever type it is said to be: many clients name a type with every request.
 */
export default fp(
  async (fastify) => {
    const parse = judging(fastify.getDefaultJsonParser('error', 'error'))
    fastify.removeAllContentTypeParsers()

    // Before anything else is asked: where the body ends is not known.
    fastify.addHook('onRequest', (request, reply, done) => {
      const refusal = refusalOfCodings(request)
      // What comes behind it may be a part of it, for something on the way.
      if (refusal !== undefined) reply.raw.shouldKeepAlive = false
      done(refusal)
    })

    fastify.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      if (request.is404) return done(null)
      if (body.length === 0) return done(takesBody(request) ? new MalformedBodyError() : null)
      const { 'content-type': type = '', 'content-encoding': coding = 'identity' } = request.headers
      if (coding.toLowerCase() !== 'identity') return done(new UnsupportedCodingError())
      if (OTHER_CHARSET.test(type)) return done(new UnsupportedMediaTypeError())
      if (!isUtf8(body)) return done(new MalformedBodyError())
      if (body.length <= LARGE_WORK) return parse(request, body.toString(), done)
      return void ownTurn().then(() => parse(request, body.toString(), done))
    })

    fastify.addContentTypeParser('*', (request, _payload, done) => {
      const isServed = request.is404 || (!takesBody(request) && !hasBody(request))
      done(isServed ? null : new UnsupportedMediaTypeError())
    })
  },
  { name: 'bodies', fastify: '5.x' },
)

/**
 * Node's parser looks at the last coding alone, and would take a packed body for what it is not; beside an empty one it believes
 * Content-Length (RFC 9112, 6.1).
 */
function refusalOfCodings({ raw: { headers, httpVersion } }: FastifyRequest): Error | undefined {
  const codings = headers['transfer-encoding']
  if (codings === undefined) return undefined
  if (codings.trim().toLowerCase() !== 'chunked') return new UnsupportedTransferCodingError()
  return httpVersion === '1.0' ? new InvalidRequestError(NO_CHUNKS_IN_1_0) : undefined
}

/** What the parser refuses has its field named; and so has a number that would be another one once it is parsed. */
function judging(parse: FastifyBodyParser<string>): FastifyBodyParser<string> {
  return (request, text, done) =>
    parse(request, text, (error, value: unknown) => {
      if (error) return done(unparsed(text))
      const inexact = inexactNumber(text)
      if (inexact === undefined) done(null, value)
      else done(new InvalidRequestError(`body: ${faultText(inexact)}`))
    })
}

function unparsed(text: string): Error {
  const poisonous = poisonousName(parsed(text))
  return poisonous === undefined ? new MalformedBodyError() : new InvalidRequestError(`body: ${faultText(poisonous)}`)
}

/** As it stands; `undefined` when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    return undefined
  }
}

/** The headers that say which bodies a method takes: Accept-Patch (RFC 5789) and its sibling for POST. */
export function acceptedTypes(method: string): readonly (readonly [header: string, value: string])[] {
  return method === 'PATCH' || method === 'POST' ? [[`accept-${method.toLowerCase()}`, JSON_TYPE]] : []
}

function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined
}

/** Whether one was announced, however much of it has come. */
export function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Answers to requests whose client waits to be asked for the body: unless it is, none comes. */
const unasked = new WeakSet<ServerResponse>()

/** For a request with `Expect: 100-continue`, before anything is known of its route. */
export function waitsToBeAsked(response: ServerResponse): void {
  unasked.add(response)
}

export function askForBody(response: ServerResponse): void {
  unasked.delete(response)
  response.writeContinue()
}

export function isBodyAskedFor(response: ServerResponse): boolean {
  return !unasked.has(response)
}
