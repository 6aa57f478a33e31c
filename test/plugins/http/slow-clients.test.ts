import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fastify, type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import slowClients from '../../../plugins/http/slow-clients.js'
import { startService } from '../../helpers/app.js'

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}

/** A connection that has sent `text`. */
async function sent(t: Test, port: number, text: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  // A connection that is cut off may be reset.
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

/** Sends a few bytes again and again for as long as the connection is open. */
function drip(t: Test, socket: Socket, text: string): void {
  const dripping = setInterval(() => socket.write(text), 50)
  const stop = (): void => clearInterval(dripping)
  socket.on('close', stop)
  t.teardown(stop)
}

/** Resolves once the connection has ended; reads what comes meanwhile. */
async function ended(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  // Not by once(): what was written at the moment of the end is an error before it.
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

t.test('a request that does not come to its end is given up', async (t) => {
  const { app, newUser } = await startService(t)
  const user = await newUser()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { server } = app
  t.equal(server.requestTimeout, 30_000)
  t.equal(server.headersTimeout, 15_000)
  // Node looks every two seconds, whatever the limits.
  server.requestTimeout = 500
  server.headersTimeout = 250

  const head = 'POST /api/designs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  const token = `Authorization: Bearer ${user.token}\r\n`
  const dripped: Record<string, [begin: string, drop: string]> = {
    'a body': [`${head}${token}Content-Length: 100000\r\n\r\n{`, ' '],
    'a body without a token': [`${head}Content-Length: 100000\r\n\r\n{`, ' '],
    'a body in chunks': [`${head}${token}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
    'the extension of a chunk': [`${head}${token}Transfer-Encoding: chunked\r\n\r\n1;`, 'x'],
    trailers: [`${head}${token}Transfer-Encoding: chunked\r\n\r\n0\r\n`, 'X: y\r\n'],
    headers: ['GET / HTTP/1.1\r\n', 'X: y\r\n'],
    'nothing at all': ['', ''],
  }
  await Promise.all(
    Object.entries(dripped).map(async ([name, [begin, drop]]) => {
      const socket = await sent(t, portOf(app), begin)
      if (drop !== '') drip(t, socket, drop)
      const startedAt = performance.now()
      await ended(socket)
      t.ok(performance.now() - startedAt < 10_000, name)
    }),
  )
})

t.test('an answer that is not taken is given up, and one that is taken slowly is not', async (t) => {
  const app = fastify()
  await app.register(slowClients, { answerLimitMs: 1_000, lookEveryMs: 50 })
  const piece = Buffer.alloc(1_048_576)
  // As many as it takes to fill the buffers of both sides.
  app.get('/', (_, reply) => reply.send(Buffer.alloc(32 * piece.length)))
  app.get('/pieces', (_, reply) => reply.send(Readable.from(Array.from({ length: 32 }, () => piece))))
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const open = (): Promise<number> => new Promise((resolve) => app.server.getConnections((_, count) => resolve(count)))

  const unread = await sent(t, portOf(app), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const trickled = await sent(t, portOf(app), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const trickle = setInterval(() => trickled.read(1), 50)
  t.teardown(() => clearInterval(trickle))
  drip(t, unread, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal(await open(), 2)
  for (let waited = 0; (await open()) > 0 && waited < 100; waited++) await sleep(100)
  t.equal(await open(), 0)

  // Takes longer than the limit as a whole, and no part of it does.
  const slow = await sent(t, portOf(app), 'GET /pieces HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let bytes = 0
  const startedAt = performance.now()
  slow.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    slow.pause()
    setTimeout(() => slow.resume(), 3)
  })
  await once(slow, 'close')
  t.ok(performance.now() - startedAt > 1_000, 'slow enough to tell')
  t.ok(bytes > 32 * piece.length)
})
