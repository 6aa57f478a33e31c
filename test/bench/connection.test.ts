import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Connection } from '../../bench/replay/connection.js'

/** A server that says what the test wants it to say. */
async function connectionTo(t: Test): Promise<{ connection: Connection; peer: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port')
  const [connection, [peer]] = await Promise.all([Connection.open(address.port, 'token'), once(server, 'connection')])
  t.teardown(() => {
    connection.close()
    server.close()
  })
  return { connection, peer }
}

t.test('an answer is read whole however it is cut', async (t) => {
  const { connection, peer } = await connectionTo(t)
  peer.setNoDelay(true)
  const answer = 'HTTP/1.1 200 OK\r\nCache-Status: roundhouse; hit\r\nContent-Length: 5\r\n\r\nh\u00e4lf'
  for (const cut of [1, 20, 60, answer.length]) {
    const asked = connection.get('/x')
    const [request]: unknown[] = await once(peer, 'data')
    t.match(String(request), /^GET \/x HTTP\/1\.1\r\nhost: [\d.:]+\r\nauthorization: Bearer token\r\n\r\n$/)
    peer.write(answer.slice(0, cut))
    await new Promise(setImmediate)
    peer.write(answer.slice(cut))
    const { status, cacheStatus, body } = await asked
    t.strictSame([status, cacheStatus, body.toString()], [200, 'roundhouse; hit', 'hälf'])
  }
})

t.test('a connection that breaks, or an answer without a length, fails the request', async (t) => {
  const { connection, peer } = await connectionTo(t)
  const broken = connection.get('/')
  await once(peer, 'data')
  peer.end()
  await t.rejects(broken, { message: 'The service closed the connection' })
  await t.rejects(connection.get('/'), { message: 'The connection is closed' })

  const other = await connectionTo(t)
  const asked = other.connection.get('/')
  other.peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  await t.rejects(asked, /An answer without a length/)
})
