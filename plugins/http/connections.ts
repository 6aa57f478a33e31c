import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import {
  HeadersTooLargeError,
  MalformedRequestError,
  MethodNotAllowedError,
  RequestTimeoutError,
} from '../../services/errors.js'
import { askForBody, isBodyAskedFor, waitsToBeAsked } from './bodies.js'
import { corsLines } from './cors.js'
import { errorBody, type CatalogueError } from './errors.js'
import { NO_SNIFFING } from './security-headers.js'

/** How long a refused connection is read from, so that the refusal is not lost to a reset while the client still sends. */
const LINGER_MS = 1_000

/** Connections whose refusal waits for its turn. Data that comes after the first error is an error again. */
const refused = new WeakSet<Socket>()

/**
 * Answers what never became a request: too slow, too large or not HTTP. For Fastify's `clientErrorHandler`; what it finds is an error
 * of the connection, which ends. Answers are sent in the order of their requests (RFC 9112, 9.3.2): a refusal that came in the place of one that
 * is under way would say of a write that was carried out that it was not.
 */
export function answerParserError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.writableEnded) return
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  if (refused.has(socket)) return
  refused.add(socket)
  const received = receivedBy(socket)
  const isWithin = isWithinBody(socket)
  const headers = isWithin ? corsLines(received) : []
  refuseInTurn(socket, { error: refusalOf(error.code), received, isWithinBody: isWithin, headers })
}

/** What was wrong, and where the parser was then. */
interface Refusal {
  readonly error: CatalogueError
  /** The last request whose headers had come. */
  readonly received: unknown
  /** It is the body of that request which does not come, or is broken. */
  readonly isWithinBody: boolean
  /** So that a page reads why its body was refused. Of a request whose headers did not come nobody knows whose it is. */
  readonly headers: readonly string[]
}

function refuseInTurn(socket: Socket, refusal: Refusal, answered = refusal.received): void {
  if (!socket.writable) return
  const answering = answerUnderWay(socket)
  if (answering === undefined) {
    // One more answer than requests would be taken for that to the next one.
    const isAnswered = refusal.isWithinBody || answered !== refusal.received
    return isAnswered ? endWith(socket, refusal) : refuse(socket, refusal)
  }
  const isIncomplete = answering.req === receivedBy(socket) && isWithinBody(socket)
  if (isIncomplete && !answering.headersSent) return refuse(socket, refusal)
  // It goes on, and nobody knows until when: what is asked of it is broken.
  if (isIncomplete && !answering.writableEnded) return void socket.destroy()
  // Node has handed the connection to the next answer by then.
  answering.once('close', () => refuseInTurn(socket, refusal, answering.req))
}

function refuse(socket: Socket, refusal: Refusal): void {
  answerRaw(socket, refusal.error, ...refusal.headers)
  endWith(socket, refusal)
}

function endWith(socket: Socket, { error }: Refusal): void {
  endGently(socket)
  // The rest of a slow request could still complete it, and would then be carried out although nobody can be told of it.
  if (error.statusCode === 408) socket.destroySoon()
}

/** The one whose turn it is. */
function answerUnderWay(socket: Socket): ServerResponse | undefined {
  const answering = propertyOf(socket, '_httpMessage')
  return isAnswer(answering) ? answering : undefined
}

function isAnswer(message: unknown): message is ServerResponse {
  return typeof message === 'object' && message !== null && 'headersSent' in message
}

/** The request that Node's parser is at, or has read last. */
function receivedBy(socket: Socket): unknown {
  return propertyOf(propertyOf(socket, 'parser'), 'incoming')
}

/** Whether the parser is in the body of a request. */
function isWithinBody(socket: Socket): boolean {
  return propertyOf(receivedBy(socket), 'complete') === false
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
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function endGently(socket: Socket): void {
  socket.end()
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

/** What Node answers by itself, or not at all, before there is a request: it becomes a request, or an answer in our shape. */
export default fp(
  async (fastify) => {
    const { server } = fastify
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      waitsToBeAsked(response)
      server.emit('request', request, response)
    })
    // Its route decides: a body that is too large anyway is not asked for. Any other is, or nothing would be sent until the request has run out of time.
    fastify.addHook('onRequest', ({ headers, routeOptions }, { raw }, done) => {
      const isWaiting = headers.expect !== undefined && !isBodyAskedFor(raw)
      if (isWaiting && Number(headers['content-length'] ?? 0) <= routeOptions.bodyLimit) askForBody(raw)
      else if (isWaiting) raw.setHeader('connection', 'close')
      done()
    })
    // Other expectations may be ignored (RFC 9110, 10.1.1).
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      server.emit('request', request, response)
    })
    server.on('connect', (_request: IncomingMessage, socket: Socket) => {
      socket.on('error', () => socket.destroy())
      answerRaw(socket, new MethodNotAllowedError('CONNECT', 'here', 'the methods of the API'), 'Allow: OPTIONS')
      endGently(socket)
    })
  },
  { name: 'connections', fastify: '5.x' },
)
