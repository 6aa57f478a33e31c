import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { HttpConnection } from './http-connection.js'

/** A server that says what the test wants it to say. */
async function connectionTo(test: Test): Promise<{ connection: HttpConnection; accepted: () => Promise<Socket> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port')
  const connection = new HttpConnection(address.port, { token: 'token', timeLimitMs: 1_000 })
  test.teardown(() => {
    connection.close()
    server.close()
  })
  return { connection, accepted: async () => (await once(server, 'connection'))[0] as Socket }
}

t.test('an answer is read whole however it is cut; the next request takes the same connection', async (t) => {
  const { connection, accepted } = await connectionTo(t)
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nCache-Status: roundhouse; hit\r\nContent-Length: 5\r\n\r\nhälf')
  const peers = accepted()
  for (const cut of [1, 20, 60, answer.length]) {
    const asked = connection.get('/x')
    const peer = await peers
    const [request]: unknown[] = await once(peer, 'data')
    const writtenAt = performance.now()
    t.match(String(request), /^GET \/x HTTP\/1\.1\r\n[^]*authorization: Bearer token\r\n/)
    peer.write(answer.subarray(0, cut))
    await new Promise(setImmediate)
    peer.write(answer.subarray(cut))
    const { status, text, begunAt, endedAt } = await asked
    t.strictSame([status, text], [200, 'hälf'])
    t.ok(begunAt <= writtenAt && writtenAt <= endedAt)
  }
})

t.test('who gets no answer is told so, and the next request has another connection', async (t) => {
  const { connection, accepted } = await connectionTo(t)
  const first = accepted()
  const broken = connection.send({ method: 'PATCH', path: '/', body: {} })
  const peer = await first
  await once(peer, 'data')
  const second = accepted()
  peer.destroy()
  await t.rejects(broken, { name: 'NoAnswerError', kind: 'UND_ERR_SOCKET' })
  const asked = connection.get('/')
  const other = await second
  await once(other, 'data')
  other.write('HTTP/1.1 204 No Content\r\n\r\n')
  t.equal((await asked).status, 204)
})
