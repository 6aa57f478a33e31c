import type { FastifyReply } from 'fastify'

export const EVENT_STREAM = 'text/event-stream'

/**
 * The answer is the last of its connection, and says so. To be told when the request comes, before anything is waited for: a stream may have no
 * end, and a request behind it would be carried out and never answered.
 */
export function beLast(reply: FastifyReply): void {
  reply.raw.shouldKeepAlive = false
}
