import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions } from 'fastify'
import fp from 'fastify-plugin'

/** How long a client may take to send a request, from its first byte (of a new connection: from its beginning) to the last of its body. */
const REQUEST_LIMIT_MS = 30_000
/** The part of it that line and headers may take. */
const HEADERS_LIMIT_MS = 15_000
/** How long bytes of answers may wait for the client to take them. */
const ANSWER_LIMIT_MS = 60_000
/** How often connections are looked at: a limit is kept to within so much. */
const LOOK_EVERY_MS = 2_000

/** What Node itself sees to: requests that do not come to their end. Such a connection is answered 408 and ends. */
export const requestLimits = {
  requestTimeout: REQUEST_LIMIT_MS,
  http: { headersTimeout: HEADERS_LIMIT_MS, connectionsCheckingInterval: LOOK_EVERY_MS },
} as const satisfies FastifyHttpOptions<Server>

export interface SlowClientsOptions {
  readonly answerLimitMs?: number
  readonly lookEveryMs?: number
}

/** A connection whose client has answers to take. */
interface Waiting {
  readonly since: number
  /** How many bytes the connection will have sent once all is taken that waited then. */
  readonly until: number
}

/**
 * Node has no limit for answers that nobody reads. Each byte of one must be taken within the limit, or the connection ends: a trickle
 * does not keep it open, and a long download at an ordinary speed is not cut off.
 */
export default fp<SlowClientsOptions>(
  async (fastify, { answerLimitMs = ANSWER_LIMIT_MS, lookEveryMs = LOOK_EVERY_MS }) => {
    const connections = new Map<Socket, Waiting | undefined>()
    fastify.server.on('connection', (socket) => {
      connections.set(socket, undefined)
      socket.once('close', () => connections.delete(socket))
    })
    const look = setInterval(() => {
      const now = performance.now()
      for (const [socket, waiting] of connections) {
        const isStill = waiting !== undefined && sentBy(socket) < waiting.until
        if (!isStill) connections.set(socket, waitingSince(now, socket))
        else if (now - waiting.since >= answerLimitMs) socket.destroy()
      }
    }, lookEveryMs).unref()
    fastify.addHook('onClose', async () => clearInterval(look))
  },
  { name: 'slow-clients', fastify: '5.x' },
)

function waitingSince(now: number, socket: Socket): Waiting | undefined {
  return socket.writableLength === 0 ? undefined : { since: now, until: socket.bytesWritten }
}

/** `bytesWritten` counts what waits in this process too. */
function sentBy({ bytesWritten, writableLength }: Socket): number {
  return bytesWritten - writableLength
}
