import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import draining from '../../../plugins/http/draining.js'
import { deferred } from '../../helpers/cache/deferred.js'
import { until } from '../../helpers/deadline.js'

const NEVER_MS = 60_000
const GET = 'GET /now HTTP/1.1\r\nHost: a\r\n\r\n'
const WRITE = 'POST /write HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'

/** What arrives on one connection. */
class Client {
  text = ''
  error = ''
  hasEnded = false

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (chunk: string) => (this.text += chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message))
    socket.on('end', () => (this.hasEnded = true))
  }

  static async open(t: Test, app: FastifyInstance): Promise<Client> {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    t.teardown(() => socket.destroy())
    return new Client(socket)
  }

  /** The words behind `Connection:` of each answer so far. */
  get connections(): string[] {
    return [...this.text.matchAll(/^connection: (\S+)/gim)].map(([, word = '']) => word)
  }

  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
  }

  async answers(count: number): Promise<void> {
    await until(() => this.connections.length >= count, {
      describe: `${count} answers, not ${this.text} ${this.error}`,
    })
  }

  async ended(): Promise<void> {
    await until(() => this.hasEnded || this.error !== '', { describe: 'the connection ends' })
  }
}

async function listening(t: Test) {
  const app = fastify({ return503OnClosing: false })
  await app.register(draining)
  const held = deferred<string>()
  const server = { app, held, begun: 0, writes: 0 }
  app.get('/now', async () => 'now')
  app.get('/held', async () => {
    server.begun += 1
    return held.promise
  })
  const isLast = { onRequest: async (_: unknown, reply: FastifyReply) => void (reply.raw.shouldKeepAlive = false) }
  app.get('/last', isLast, async () => 'last')
  app.get('/held-last', isLast, async () => held.promise)
  app.get('/large', async () => 'x'.repeat(8_000_000))
  app.post('/write', async () => (server.writes += 1))
  app.post('/refused', { onRequest: (_, reply) => void reply.code(401).send('no') }, async () => '')
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return server
}

t.test('the answer of a request that was under way says that the connection ends, and it does', async (t) => {
  const server = await listening(t)
  const client = await Client.open(t, server.app)
  client.socket.write(GET.replace('now', 'held'))
  await until(() => server.begun === 1, { describe: 'the request is under way' })
  server.app.drain(NEVER_MS)
  server.held.resolve('held')
  await client.ended()
  t.same(client.connections, ['close'])
  t.match(client.text, /held$/)
  t.equal(client.error, '')
})

t.test('before the drain nothing is told', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  client.socket.write(GET)
  await client.answers(1)
  t.same(client.connections, ['keep-alive'])
})

t.test('of requests sent in one go all are answered, and the last answer ends the connection', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  app.drain(NEVER_MS)
  client.socket.write(GET.repeat(3))
  await client.ended()
  t.same(client.statuses, [200, 200, 200])
  t.same(client.connections, ['keep-alive', 'keep-alive', 'close'])
  t.equal(client.error, '')
})

t.test('so it is while the server closes', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  client.socket.write(GET)
  await client.answers(1)
  app.drain(NEVER_MS)
  const closed = app.close()
  await sleep(100)
  client.socket.write(GET.repeat(3))
  await client.ended()
  t.same(client.statuses, [200, 200, 200, 200])
  t.equal(client.error, '')
  await closed
})

t.test('while the server closes, a connection that is not quiet yet is served once more', async (t) => {
  const server = await listening(t)
  const client = await Client.open(t, server.app)
  client.socket.write(GET)
  await client.answers(1)
  server.app.drain(NEVER_MS)
  const closed = server.app.close()
  await sleep(150)
  t.notOk(client.hasEnded || client.error, 'its next request may be on its way')
  client.socket.write(WRITE)
  await client.ended()
  t.same(client.connections, ['keep-alive', 'close'])
  t.equal(server.writes, 1)
  await closed
})

t.test('a connection that has been quiet ends in order, and holds up nothing', async (t) => {
  const { app } = await listening(t)
  const [used, fresh] = [await Client.open(t, app), await Client.open(t, app)]
  used.socket.write(GET)
  await used.answers(1)
  app.drain(200)
  await sleep(400)
  t.notOk(used.hasEnded || fresh.hasEnded, 'not before the server closes')
  const at = performance.now()
  await app.close()
  t.ok(performance.now() - at < 1_000)
  t.same([used.hasEnded, used.error, fresh.hasEnded, fresh.error], [true, '', true, ''])
})

t.test('what comes after the end of a connection is not carried out, and resets nothing', async (t) => {
  const server = await listening(t)
  const { port } = server.app.server.address() as AddressInfo
  // It goes on sending after it has been told.
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  let error = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.on('error', ({ message }) => (error = message))
  socket.write(GET.replace('now', 'held'))
  await until(() => server.begun === 1, { describe: 'the request is under way' })
  server.app.drain(NEVER_MS)
  server.held.resolve('held')
  await once(socket, 'end')
  socket.write(WRITE)
  await sleep(200)
  t.equal(server.writes, 0)
  t.match(text, /^connection: close/im)
  t.equal(error, '')
  socket.destroy()
})

t.test('a refusal is read although the body is still being sent', async (t) => {
  const { app } = await listening(t)
  const before = await Client.open(t, app)
  app.drain(NEVER_MS)
  const clients = [before, await Client.open(t, app)]
  const head = 'POST /refused HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n'
  // A reset takes away what has arrived and was not read yet.
  for (const { socket } of clients) socket.pause().write(head)
  for (let n = 0; n < 20; n++) {
    for (const { socket } of clients) socket.write('x'.repeat(10_000))
    await sleep(10)
  }
  for (const client of clients) {
    client.socket.resume()
    await client.ended()
    t.same(client.statuses, [401])
    t.equal(client.error, '')
  }
})

t.test('a request that takes longer than others are quiet is waited for', async (t) => {
  const server = await listening(t)
  const client = await Client.open(t, server.app)
  client.socket.write(GET.replace('now', 'held'))
  await until(() => server.begun === 1, { describe: 'the request is under way' })
  server.app.drain(0)
  const closed = server.app.close()
  await sleep(300)
  t.notOk(client.hasEnded || client.error)
  server.held.resolve('held')
  await client.ended()
  t.same(client.statuses, [200])
  await closed
})

t.test('a request that is half there by the time that others are quiet is waited for', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  client.socket.write(GET)
  await client.answers(1)
  app.drain(100)
  const closed = app.close()
  client.socket.write(GET.slice(0, 20))
  await sleep(60)
  // Each piece counts: the pause between two is shorter than the quiet that ends a connection.
  client.socket.write(GET.slice(20, 25))
  await sleep(60)
  client.socket.write(GET.slice(25))
  await client.ended()
  t.same(client.statuses, [200, 200])
  t.equal(client.error, '')
  await closed
})

t.test('what is sent behind an answer that has begun to say that it is the last is not carried out', async (t) => {
  const server = await listening(t)
  const client = await Client.open(t, server.app)
  server.app.drain(NEVER_MS)
  client.socket.pause()
  client.socket.write(GET.replace('now', 'large'))
  await sleep(200)
  client.socket.write(WRITE)
  await sleep(200)
  t.equal(server.writes, 0)
  client.socket.resume()
  await client.ended()
  t.equal(server.writes, 0)
  t.same(client.statuses, [200])
})

t.test('a large answer that is being read is not cut off by the close', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  client.socket.pause()
  client.socket.write(GET.replace('now', 'large'))
  await sleep(200)
  app.drain(0)
  const closed = app.close()
  await sleep(1_300)
  client.socket.resume()
  await closed
  await client.ended()
  t.ok(client.text.endsWith('x'.repeat(1_000)))
  t.ok(client.text.length > 8_000_000)
})

t.test(
  'what is sent behind a request whose answer is the last is not carried out, without a drain either',
  async (t) => {
    const server = await listening(t)
    for (const path of ['last', 'held-last']) {
      const client = await Client.open(t, server.app)
      client.socket.write(GET.replace('now', path) + WRITE)
      await sleep(100)
      server.held.resolve('held')
      await client.ended()
      t.same(client.statuses, [200], path)
      t.same(client.connections, ['close'])
      t.equal(server.writes, 0, path)
      t.equal(client.error, '')
    }
  },
)

t.test('without a drain a close ends idle connections at once', async (t) => {
  const { app } = await listening(t)
  const client = await Client.open(t, app)
  client.socket.write(GET)
  await client.answers(1)
  const at = performance.now()
  await app.close()
  t.ok(performance.now() - at < 500)
})
