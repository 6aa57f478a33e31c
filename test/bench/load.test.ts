import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { getRequest, Load } from '../../bench/http/load.js'

t.test('the load asks as fast as it is answered, or at its rate, and counts what was not expected', async (t) => {
  const asked = new Set<string>()
  const server = createServer((request, response) => {
    asked.add(`${request.method} ${request.url} ${request.headers.authorization}`)
    response.statusCode = request.url === '/odd' ? 404 : 200
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port')
  const load = new Load()
  t.teardown(async () => {
    await load.stop()
    server.close()
  })
  const requests = ['/even', '/odd'].map((path) => getRequest(path, { authorization: 'Bearer x' }))
  const order = { port: address.port, requests, connections: 4, ms: 500, expected: 200 }

  const fast = await load.run(order)
  t.ok(fast.answers > 10, `${fast.answers} answers`)
  t.ok(Math.abs(fast.unexpected - fast.answers / 2) <= 2, `${fast.unexpected} unexpected`)
  t.ok(fast.p50 > 0 && fast.p99 >= fast.p50 && fast.busy > 0)
  t.same(asked, new Set(['GET /even Bearer x', 'GET /odd Bearer x']))

  const even = await load.run({ ...order, requests: requests.slice(0, 1) })
  t.equal(even.unexpected, 0, 'what is broken off at the end is no answer')

  const steady = await load.run({ ...order, ratePerSecond: 100 })
  // Fewer than were due: a busy machine.
  t.ok(steady.answers > 5 && steady.answers <= 50, `${steady.answers} answers in half a second`)
})
