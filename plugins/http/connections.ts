import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import {
  HeadersTooLargeError,
  MalformedRequestError,
  MethodNotAllowedError,
  RequestTimeoutError,
} from '../../services/errors.js'
import { doNotAskForBody } from './bodies.js'
import { errorBody, type CatalogueError } from './errors.js'
import { NO_SNIFFING } from './security-headers.js'

/** How long a refused connection is read from, so that the refusal is not lost to a reset while the client still sends. */
const LINGER_MS = 1_000

/**
 * Answers what never became a request: too slow, too large or not HTTP. For Fastify's `clientErrorHandler`; what it finds is an error
 * of the connection, which ends.
 */
export function answerParserError(error: Error & { readonly code?: string }, socket: Socket): void {
  // Data that comes after the first error is an error again.
  if (socket.writableEnded) return
  const answering = propertyOf(socket, '_httpMessage')
  const isHalfAnswered = propertyOf(answering, 'headersSent') === true
  const isAnswered = (answering ?? null) === null && isWithinBody(socket)
  if (error.code === 'ECONNRESET' || !socket.writable || isHalfAnswered || isAnswered) return void socket.destroy()
  const refusal = refusalOf(error.code)
  answerRaw(socket, refusal)
  // The rest of a slow request could still complete it, and would then be served although its sender was told that it failed.
  if (refusal.statusCode === 408) socket.destroySoon()
}

/**
 * Whether the parser is in the body of a request. Where nothing is being answered then, that request was, before its body had come: one
 * more answer would be taken for that to the next request on the connection.
 */
function isWithinBody(socket: Socket): boolean {
  return propertyOf(propertyOf(propertyOf(socket, 'parser'), 'incoming'), 'complete') === false
}

/** Of Node's own, which has no types for these; `undefined` where there is no such object. */
function propertyOf(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined
}

function refusalOf(code: string | undefined): CatalogueError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RequestTimeoutError()
    case 'HPE_HEADER_OVERFLOW':
      return new HeadersTooLargeError()
    default:
      return new MalformedRequestError()
  }
}

function answerRaw(socket: Socket, error: CatalogueError, ...headers: string[]): void {
  const body = JSON.stringify(errorBody(error))
  const head = [
    `HTTP/1.1 ${error.statusCode} ${errorBody(error).error}`,
    'Content-Type: application/json; charset=utf-8',
    'Cache-Control: no-store',
    NO_SNIFFING.join(': '),
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

/** What Node answers by itself, or not at all, before there is a request: it becomes a request, or an answer in our shape. */
export default fp(
  async (fastify) => {
    const { server, initialConfig } = fastify
    const { bodyLimit = 0 } = initialConfig
    // A body that is too large anyway is not asked for.
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (Number(request.headers['content-length'] ?? 0) <= bodyLimit) response.writeContinue()
      else doNotAskForBody(response)
      server.emit('request', request, response)
    })
    // Other expectations may be ignored (RFC 9110, 10.1.1).
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      server.emit('request', request, response)
    })
    server.on('connect', (_request: IncomingMessage, socket: Socket) => {
      socket.on('error', () => socket.destroy())
      answerRaw(socket, new MethodNotAllowedError('CONNECT', 'here', 'the methods of the API'), 'Allow: OPTIONS')
    })
  },
  { name: 'connections', fastify: '5.x' },
)
