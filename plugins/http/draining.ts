import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { answerHalfClosed } from './half-closed.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * From now on each answer ends its connection, and says so. Once the server closes, a connection without a request under way ends
     * when it has been quiet for `quietMs`, and not at once: its next request may be on its way.
     */
    drain: (quietMs: number) => void
    isDraining: () => boolean
  }
}

/** How long an ended connection is read from, so that nothing that the client still sends resets it before the answer has been read. */
const LINGER_MS = 1_000
const LOOK_EVERY_MS = 50

interface Connection {
  /** The answer to its last request: answers are sent in order, so when this one is, all are. */
  latest: ServerResponse | undefined
  /** Nothing that it sends is carried out any more. */
  isOver: boolean
  quietSince: number
  bytesRead: number
}

/**
 * Node ends a connection that looks idle by destroying it. A request that is in the kernel's buffer by then is answered with a reset, and
 * so is one that the client sends before it hears of the end. Nobody knows then whether a write was carried out. Here a connection
 * ends after an answer that says so, or when it has long been quiet; and a request that comes too late is never carried out, also one that
 * was sent behind a request whose answer is the last for another reason (RFC 9112, 9.6): its own would never be sent.
 */
export default fp(
  async (fastify) => {
    const { server } = fastify
    const connections = new Map<Socket, Connection>()
    /** Answers that nobody may get: their requests came when the connection had been said to end. */
    const late = new WeakSet<ServerResponse>()
    let isDraining = false
    server.on('connection', (socket: Socket) => {
      const quietSince = performance.now()
      connections.set(socket, { latest: undefined, isOver: false, quietSince, bytesRead: 0 })
      socket.once('close', () => connections.delete(socket))
      answerHalfClosed(socket, () => connections.get(socket)?.latest)
      if (isDraining) endGentlyAfterAnswers(socket, connections)
    })
    // Before Fastify's own.
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const connection = connections.get(socket)
      if (connection === undefined) return
      const { latest } = connection
      if (isDraining) tell(connection, response)
      else if (latest !== undefined && isLast(latest)) connection.isOver = true
      if (connection.isOver) late.add(response)
      else connection.latest = response
    })
    fastify.addHook('onRequest', (_request, reply, done) => {
      if (late.has(reply.raw)) reply.hijack()
      else done()
    })
    fastify.decorate('isDraining', () => isDraining)
    fastify.decorate('drain', (quietMs: number) => {
      if (isDraining) return
      isDraining = true
      const now = performance.now()
      for (const [socket, connection] of connections) {
        connection.quietSince = now
        if (isUnderWay(connection)) last(connection.latest, true)
        endGentlyAfterAnswers(socket, connections)
      }
      replaceIdleClose(server, connections, quietMs)
    })
  },
  { name: 'draining', fastify: '5.x' },
)

/** Of requests that were sent without waiting for answers, the answer to the last one known tells; what comes behind it is too late. */
function tell(connection: Connection, response: ServerResponse): void {
  const { latest } = connection
  if (isUnderWay(connection)) {
    if (latest?.headersSent !== true) last(latest, false)
    else if (isLast(latest)) connection.isOver = true
  }
  if (!connection.isOver) last(response, true)
}

function isUnderWay({ latest }: Connection): boolean {
  return latest !== undefined && !latest.writableFinished && !latest.destroyed
}

/** Node makes the header of it. Fastify makes one of its own while it closes, for each request by itself. */
function last(response: ServerResponse | undefined, isTheLast: boolean): void {
  if (response === undefined || response.headersSent) return
  response.shouldKeepAlive = !isTheLast
  if (!isTheLast && response.hasHeader('connection')) response.removeHeader('connection')
}

function isLast(response: ServerResponse): boolean {
  return !response.shouldKeepAlive || response.getHeader('connection') === 'close'
}

/** Node ends a connection by this after its last answer, and would reset it if there is something unread. */
function endGentlyAfterAnswers(socket: Socket, connections: ReadonlyMap<Socket, Connection>): void {
  socket.destroySoon = () => endGently(socket, connections.get(socket))
}

function endGently(socket: Socket, connection: Connection | undefined): void {
  if (connection !== undefined) connection.isOver = true
  socket.end(() => setTimeout(() => socket.destroy(), LINGER_MS).unref())
}

/** A close of the server calls this once, and then waits until no connection is left. */
function replaceIdleClose(server: Server, connections: ReadonlyMap<Socket, Connection>, quietMs: number): void {
  let isClosing = false
  server.closeIdleConnections = () => void (isClosing = true)
  const look = (): void => {
    const now = performance.now()
    for (const [socket, connection] of connections) {
      const isQuiet = !isUnderWay(connection) && socket.bytesRead === connection.bytesRead
      connection.bytesRead = socket.bytesRead
      if (!isQuiet) connection.quietSince = now
      else if (isClosing && !connection.isOver && now - connection.quietSince >= quietMs) endGently(socket, connection)
    }
  }
  // After what has arrived was read, so that it counts.
  setInterval(() => setImmediate(look), LOOK_EVERY_MS).unref()
}
