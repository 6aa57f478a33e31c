import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fastify, type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { answerParserError } from '../../../plugins/http/connections.js'
import { startService } from '../../helpers/app.js'
import { deferred } from '../../helpers/cache/deferred.js'
import { until } from '../../helpers/deadline.js'
import { exchange } from '../../helpers/raw-http.js'

const GET = 'GET /now HTTP/1.1\r\nHost: a\r\n\r\n'
const HELD = GET.replace('now', 'held')
const WRITE = 'POST /write HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
const BROKEN_BODY = `${WRITE}Transfer-Encoding: chunked\r\n\r\nzz\r\n`

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
}

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}

t.test('a write that was carried out is answered, whatever comes behind it', async (t) => {
  const { app, newUser } = await startService(t)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const user = await newUser()
  const body = '{"filename":"a.png","file_path":"/a.png","platform":"etsy"}'
  const head = `POST /api/designs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: application/json\r\n`
  const write = `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  const health = 'GET /api/cache/health HTTP/1.1\r\nHost: a\r\n\r\n'
  const list = `GET /api/designs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${user.token}\r\n\r\n`
  const after: [text: string, statuses: number[]][] = [
    [`${write}x\n`, [201, 400]],
    [`${write}BAD\r\n\r\n`, [201, 400]],
    [`${write}GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, [201, 431]],
    [`${write}${list}${health}BAD\r\n\r\n`, [201, 200, 200, 400]],
    // It asked for the end, and said all that there is before it.
    [`${write.replace('Host', 'Connection: close\r\nHost')}x\n`, [201]],
  ]
  for (const [text, statuses] of after) {
    const answer = await exchange(portOf(app), text, 5_000)
    t.same(statusesIn(answer.text), statuses, text.slice(-30))
    t.ok(answer.isEnded)
  }
  const rows = await user.get('/api/designs')
  t.equal(rows.body.items.length, after.length)
})

/** A service whose answers wait, and what arrives on one connection to it. */
async function connected(t: Test) {
  const app = fastify({
    clientErrorHandler: answerParserError,
    requestTimeout: 300,
    http: { connectionsCheckingInterval: 50, headersTimeout: 300 },
  })
  const held = deferred<string>()
  const server = { begun: 0, writes: 0 }
  app.get('/now', async () => 'now')
  app.get('/held', async () => {
    server.begun += 1
    return held.promise
  })
  const pieces = new Readable({ read: () => {} })
  app.get('/stream', (_, reply) => reply.send(pieces))
  app.post('/write', async () => (server.writes += 1))
  app.post('/refused', { onRequest: (_, reply) => void reply.code(401).send('no') }, async () => '')
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const socket = connect(portOf(app), '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  const client = { socket, text: '', held, server, pieces }
  socket.setEncoding('latin1').on('data', (more: string) => (client.text += more))
  return client
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close')
}

t.test('what is under way is answered before the refusal of what comes behind it', async (t) => {
  const client = await connected(t)
  client.socket.write(`${HELD}${GET}BAD\r\n\r\n`)
  await until(() => client.server.begun === 1, { describe: 'the first is under way' })
  client.socket.write('more that is no HTTP')
  await sleep(100)
  t.equal(client.text, '')
  client.held.resolve('held')
  await closed(client.socket)
  t.same(statusesIn(client.text), [200, 200, 400])
})

t.test('a request whose own body is broken is refused in its turn, and not carried out', async (t) => {
  for (const first of ['', HELD]) {
    const client = await connected(t)
    client.socket.write(`${first}${BROKEN_BODY}`)
    await sleep(50)
    client.held.resolve('held')
    await closed(client.socket)
    t.same(statusesIn(client.text), first === '' ? [400] : [200, 400])
    t.equal(client.server.writes, 0)
  }
})

t.test('one that is refused before its broken body has come is answered once', async (t) => {
  for (const first of ['', HELD]) {
    const client = await connected(t)
    client.socket.write(`${first}${BROKEN_BODY.replace('write', 'refused')}`)
    await sleep(50)
    client.held.resolve('held')
    await closed(client.socket)
    t.same(statusesIn(client.text), first === '' ? [401] : [200, 401])
  }
})

t.test('an answer that comes in pieces is sent to its end', async (t) => {
  const client = await connected(t)
  client.socket.write(`${GET.replace('now', 'stream')}BAD\r\n\r\n`)
  client.pieces.push('one,')
  await until(() => client.text.includes('one'), { describe: 'the first piece' })
  client.pieces.push('two')
  client.pieces.push(null)
  await closed(client.socket)
  t.match(client.text, /one,[^]*two\r\n0\r\n\r\nHTTP\/1\.1 400 /)
})

t.test('a connection whose client leaves while an answer is under way is let go', async (t) => {
  const client = await connected(t)
  client.socket.write(`${HELD}BAD\r\n\r\n`)
  await until(() => client.server.begun === 1, { describe: 'the first is under way' })
  client.socket.resetAndDestroy()
  await closed(client.socket)
  client.held.resolve('held')
  t.equal(client.text, '')
})

t.test('a slow request behind one that is under way is 408 in its turn', async (t) => {
  for (const begun of ['GET /now HT', `${WRITE}Content-Length: 2\r\n\r\n{`]) {
    const client = await connected(t)
    client.socket.write(`${HELD}${begun}`)
    await sleep(700)
    t.equal(client.text, '')
    client.held.resolve('held')
    await closed(client.socket)
    t.same(statusesIn(client.text), [200, 408])
    t.equal(client.server.writes, 0)
  }
})

t.test('or is served where it has come by then, and the connection ends', async (t) => {
  for (const [begun, rest] of [
    ['GET /now HT', 'TP/1.1\r\nHost: a\r\n\r\n'],
    [`${WRITE}Content-Length: 2\r\n\r\n{`, '}'],
  ] as const) {
    const client = await connected(t)
    client.socket.write(`${HELD}${begun}`)
    await sleep(700)
    client.socket.write(rest)
    await sleep(50)
    client.held.resolve('held')
    await closed(client.socket)
    t.same(statusesIn(client.text), [200, 200])
  }
})
