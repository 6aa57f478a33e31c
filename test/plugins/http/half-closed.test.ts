import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startService, type TestService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'

/** A client that ends its side once it has sent `text`, and reads on. */
async function sent(t: Test, { app }: TestService, text: string) {
  const socket = connect({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  const client = { socket, text: '', error: '', hasEnded: false }
  socket.setEncoding('latin1').on('data', (more: string) => (client.text += more))
  socket.on('error', ({ message }) => (client.error = message)).on('end', () => (client.hasEnded = true))
  await once(socket, 'connect')
  socket.end(text)
  return client
}

async function ended(client: { readonly hasEnded: boolean; readonly error: string }): Promise<void> {
  await until(() => client.hasEnded || client.error !== '', { describe: 'the server ends the connection' })
}

t.test('who has ended their side of the connection still gets the answers', async (t) => {
  // To begin to follow changes takes no time there.
  const service = await startService(t, { isEmbedded: true })
  await service.app.listen({ port: 0, host: '127.0.0.1' })
  const user = await service.newUser()
  const lines = (more = '') => `Host: x\r\nAuthorization: Bearer ${user.token}\r\n${more}\r\n`
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${lines(more)}`

  t.test('of a read, which is the last, and of a write, which is done', async (t) => {
    const read = await sent(t, service, get('/api/users/me'))
    await ended(read)
    t.match(read.text, new RegExp(`^HTTP/1\\.1 200 OK\r\n[^]*connection: close\r\n[^]*"id":"${user.id}"`, 'i'))
    const body = '{"filename":"half.png","file_path":"/half.png","platform":"etsy"}'
    const head = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    const write = await sent(t, service, `POST /api/designs HTTP/1.1\r\n${lines(head)}${body}`)
    await ended(write)
    t.match(write.text, /^HTTP\/1\.1 201 Created\r\n[^]*"filename":"half\.png"/)
    t.same([read.error, write.error], ['', ''])
  })

  t.test('of all requests that were sent in one go, in their order', async (t) => {
    const paths = ['/api/users/me', '/nowhere', '/api/designs', '/api/templates', '/api/cache/health']
    const client = await sent(t, service, paths.map((path) => get(path)).join(''))
    await ended(client)
    t.same(
      [...client.text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status),
      ['200', '404', '200', '200', '200'],
    )
    t.match(client.text, /"uptime_seconds"/)
  })

  t.test('and the refusal of what was cut off behind them', async (t) => {
    const client = await sent(t, service, `${get('/api/designs')}GET /api/des`)
    await ended(client)
    t.match(client.text, /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 [^]*"MALFORMED_REQUEST"/)
    t.equal(client.error, '')
  })

  t.test('by HTTP/1.0, and while the service leaves', async (t) => {
    const old = await sent(t, service, 'GET /api/cache/health HTTP/1.0\r\n\r\n')
    await ended(old)
    t.match(old.text, /^HTTP\/1\.1 200 OK[^]*"status"/)
    const other = await startService(t)
    await other.app.listen({ port: 0, host: '127.0.0.1' })
    other.app.drain(1_000)
    const late = await sent(t, other, get('/api/designs'))
    await ended(late)
    t.match(late.text, /^HTTP\/1\.1 401 /)
    await other.app.close()
  })

  t.test('a request that is cut off is told so, and carried out by nobody', async (t) => {
    const head = 'Content-Type: application/json\r\nContent-Length: 100\r\n'
    const client = await sent(t, service, `POST /api/designs HTTP/1.1\r\n${lines(head)}{"filename":`)
    await ended(client)
    t.match(client.text, /^HTTP\/1\.1 400 /)
  })

  t.test('a stream that has begun ends: its reader may as well have gone', async (t) => {
    const port = (service.app.server.address() as AddressInfo).port
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.write(get('/api/changes', 'Accept: text/event-stream\r\n'))
    await once(socket, 'data')
    await until(() => service.app.changeStreams?.count === 1, { describe: 'the stream is open' })
    socket.end()
    await until(() => service.app.changeStreams?.count === 0, { describe: 'it is over', timeoutMs: 1_000 })
  })

  t.test('nobody is left connected', async (t) => {
    await sleep(100)
    const open = await new Promise((resolve) => service.app.server.getConnections((_, count) => resolve(count)))
    t.equal(open, 0)
  })
})
