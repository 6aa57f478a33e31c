import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * A client may end its side of the connection once it has sent its requests, as `nc -N` and some proxies do, and still read the answers
 * (RFC 9112, 9.6). Node ends the other side too, at once, and none gets out. With this, that end waits for `latest`, the answer to the
 * last request that has come: answers are sent in order.
 *
 * Not for an event stream that has begun: a reader who has gone looks the same, and would hold its place until something is written.
 */
export function answerHalfClosed(socket: Socket, latest: () => ServerResponse | undefined): void {
  // Before Node's own listener, which ends the socket.
  socket.prependOnceListener('end', () => {
    const response = latest()
    if (response !== undefined && isAwaited(response)) endAfter(response, socket)
  })
}

/** What is wrong with a body that does not come to its end is told at once. */
function isAwaited(response: ServerResponse): boolean {
  if (response.writableFinished || response.destroyed || !response.req.complete) return false
  return !(response.headersSent && String(response.getHeader('content-type')).startsWith('text/event-stream'))
}

/** The answer says that it is the last, where it still can. */
function endAfter(response: ServerResponse, socket: Socket): void {
  const { end } = socket
  if (!response.headersSent) response.shouldKeepAlive = false
  socket.end = () => socket
  response.once('close', () => {
    socket.end = end
    // Behind it there may be a refusal of what came behind its request (connections.ts).
    process.nextTick(() => socket.end())
  })
}
