import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { BODY_LIMIT_BYTES } from '../../../app.js'
import { answerParserError } from '../../../plugins/http/connections.js'
import { BULK_LIMIT_BYTES } from '../../../routes/api/bulk.js'
import { ADMIN_TOKEN, startService } from '../../helpers/app.js'
import { exchange, type RawAnswer } from '../../helpers/raw-http.js'

const NODE_MAJOR = Number.parseInt(process.versions.node, 10)

/** The one shape, and nothing else. */
function isShaped(t: Test, answer: RawAnswer, status: number, code: string): void {
  const error = STATUS_CODES[status]
  t.same(Object.keys(answer.body), ['statusCode', 'code', 'error', 'message'], answer.text)
  t.match({ status: answer.status, body: answer.body }, { status, body: { statusCode: status, code, error } })
  t.equal(answer.header('cache-control'), 'no-store')
}

t.test('what Node answers by itself elsewhere has our shape', async (t) => {
  const { app, newUser } = await startService(t)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const post = `POST /api/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nContent-Type: application/json\r\n`

  t.test('what is not HTTP is 400, and ends the connection', async (t) => {
    for (const text of [
      'nonsense\r\n\r\n',
      'FOO / HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
      'GET /api/designs?tag=Caf\xe9 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n',
      `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    ]) {
      const answer = await exchange(port, text, 3_000)
      isShaped(t, answer, 400, 'MALFORMED_REQUEST')
      t.equal(answer.header('connection'), 'close')
      t.ok(answer.isEnded)
    }
  })

  t.test('headers that are too large are 431, however long they go on', async (t) => {
    for (const length of [20_000, 4_000_000]) {
      const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(length)}\r\n\r\n`, 3_000)
      isShaped(t, answer, 431, 'HEADERS_TOO_LARGE')
    }
  })

  t.test('OPTIONS * is answered, as the one thing that asks about no path', async (t) => {
    const answer = await exchange(port, 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n')
    t.equal(answer.status, 204)
    isShaped(t, await exchange(port, 'GET * HTTP/1.1\r\nHost: x\r\n\r\n'), 404, 'ROUTE_NOT_FOUND')
  })

  t.test('HTTP/1.1 without Host is 400; HTTP/1.0 knows none', async (t) => {
    isShaped(t, await exchange(port, 'GET /api/cache/health HTTP/1.1\r\n\r\n'), 400, 'INVALID_REQUEST')
    t.equal((await exchange(port, 'GET /api/cache/health HTTP/1.0\r\n\r\n')).status, 200)
  })

  t.test('an answer before the body has come says whether the connection ends with it', async (t) => {
    const body = Buffer.alloc(140_000, ' ')
    const early = `POST /api/no HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    for (const [more, isLast] of [
      ['', false],
      ['Connection: close\r\n', true],
      ['Expect: 100-continue\r\n', true],
    ] as const) {
      const isAsked = !more.startsWith('Expect')
      const answer = await exchange(port, [Buffer.from(`${early}${more}\r\n`), ...(isAsked ? [body] : [])])
      t.equal(answer.status, 413)
      t.equal(answer.header('connection'), isLast ? 'close' : '', more)
      t.equal(answer.isEnded, isLast)
    }
  })

  t.test(
    'a body in a coding that nobody here understands is 501, not read as what it is not, and the last',
    async (t) => {
      const body = '{"email":"coded@example.com","shop_name":"A"}'
      const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      const next = 'GET /api/cache/stats HTTP/1.1\r\nHost: x\r\n\r\n'
      for (const codings of [
        'gzip, chunked',
        'identity, chunked',
        'gzip\r\nTransfer-Encoding: chunked',
        'gzip;q=1, chunked',
        ', chunked',
        'xchunked',
        'gzip',
        `\r\nContent-Length: ${chunks.length}`,
        'gzip, chunked\r\nExpect: 100-continue',
      ]) {
        const answer = await exchange(port, `${post}Transfer-Encoding: ${codings}\r\n\r\n${chunks}${next}`, 3_000)
        // The parser of Node 22 and later refuses an empty one beside a length by itself.
        if (codings.includes('Content-Length') && NODE_MAJOR >= 22) isShaped(t, answer, 400, 'MALFORMED_REQUEST')
        else isShaped(t, answer, 501, 'UNSUPPORTED_TRANSFER_CODING')
        t.equal(answer.text.match(/^HTTP\/1\.1 /gm)?.length, 1, codings)
        t.match(
          { connection: answer.header('connection'), isEnded: answer.isEnded },
          { connection: 'close', isEnded: true },
        )
      }
      const old = `${post.replace('1.1', '1.0')}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}${next}`
      const answer = await exchange(port, old, 3_000)
      isShaped(t, answer, 400, 'INVALID_REQUEST')
      t.ok(answer.isEnded)
      t.equal(answer.text.match(/^HTTP\/1\.1 /gm)?.length, 1)
      t.equal((await exchange(port, `${post}Transfer-Encoding: Chunked\r\n\r\n${chunks}`)).status, 201, 'once, of all')
    },
  )

  t.test('expectations are met or ignored, and CONNECT is no method', async (t) => {
    const body = '{"email":"a@example.com","shop_name":"A"}'
    const expecting = (what: string, length = body.length): string =>
      `${post}Expect: ${what}\r\nContent-Length: ${length}\r\n\r\n`
    t.equal((await exchange(port, expecting('wonders') + body)).status, 201)
    const taken = await exchange(port, expecting('100-continue') + body)
    t.match(taken.text, /^HTTP\/1\.1 100 Continue/)
    t.equal(taken.status, 409)
    const refused = await exchange(port, expecting('100-continue', 2_000_000))
    isShaped(t, refused, 413, 'BODY_TOO_LARGE')
    t.notMatch(refused.text, /100 Continue/, 'a body that is too large is not asked for')
    isShaped(t, await exchange(port, 'CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n'), 405, 'METHOD_NOT_ALLOWED')
  })

  t.test('who waits to be asked for a body is asked for what the route takes, and for no more', async (t) => {
    const row = { filename: 'a.png', file_path: '/a.png', platform: 'etsy', description: 'a'.repeat(50_000) }
    const body = JSON.stringify({ operations: Array.from({ length: 4 }, () => ({ op: 'create', row })) })
    t.ok(body.length > BODY_LIMIT_BYTES)
    const { token } = await newUser()
    const head = (path: string, length: number): string =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`
    isShaped(t, await exchange(port, head('/api/designs', body.length)), 413, 'BODY_TOO_LARGE')
    isShaped(t, await exchange(port, head('/api/designs/bulk', BULK_LIMIT_BYTES + 1)), 413, 'BODY_TOO_LARGE')
    const unroutable = await exchange(port, head('/api/designs/%ff', 10))
    isShaped(t, unroutable, 400, 'INVALID_REQUEST')
    t.ok(unroutable.isEnded, 'the body is not waited for')

    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(head('/api/designs/bulk', body.length))
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 100 Continue/)
    socket.write(body)
    const answer = String((await once(socket, 'data'))[0])
    t.match(answer, /^HTTP\/1\.1 200 OK/)
    t.notMatch(answer, /connection: close/i)
    socket.destroy()
  })

  t.test('an answer that is the last says so also to who has waited to be asked', async (t) => {
    const head = `Expect: 100-continue\r\nContent-Length: 2\r\n`
    const asked = await exchange(port, `${post}${head}Connection: close\r\n\r\n{}`)
    t.match(asked.text, /^HTTP\/1\.1 100 Continue/)
    t.match({ status: asked.status, isEnded: asked.isEnded }, { status: 400, isEnded: true })
    t.equal(asked.header('connection'), 'close')
    const { app: leaving } = await startService(t)
    await leaving.listen({ port: 0, host: '127.0.0.1' })
    leaving.drain(1_000)
    const drained = await exchange((leaving.server.address() as AddressInfo).port, `${post}${head}\r\n{}`)
    t.match({ status: drained.status, isEnded: drained.isEnded }, { status: 400, isEnded: true })
    t.equal(drained.header('connection'), 'close')
  })

  t.test('413 is read by who sends all of it first, and the connection is good for more', async (t) => {
    const megabyte = Buffer.alloc(1_048_576, 'x')
    const sizes = [`Content-Length: ${8 * megabyte.length}`, 'Transfer-Encoding: chunked']
    for (const size of sizes) {
      const isChunked = size.startsWith('T')
      const piece = isChunked ? [Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')] : [megabyte]
      const end = Buffer.from(
        `${isChunked ? '0\r\n\r\n' : ''}GET /api/cache/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      )
      const pieces = [Buffer.from(`${post}${size}\r\n\r\n`), ...Array.from({ length: 8 }, () => piece).flat(), end]
      const { text, isEnded } = await exchange(port, pieces, 5_000)
      t.match(text, /^HTTP\/1\.1 413 [^]*"code":"BODY_TOO_LARGE"[^]*HTTP\/1\.1 200 OK/, size)
      t.ok(isEnded)
    }
  })

  t.test('413 is also read by who wants the connection to end with it', async (t) => {
    const megabyte = Buffer.alloc(1_048_576, 'x')
    const head = Buffer.from(`${post}Connection: close\r\nContent-Length: ${8 * megabyte.length}\r\n\r\n`)
    const socket = connect(port, '127.0.0.1')
    const sent = new Promise<Error | undefined>((resolve) => {
      socket.on('error', resolve)
      socket.on('close', () => resolve(undefined))
    })
    const answered = once(socket, 'data')
    socket.write(head)
    t.match(String(await answered), /^HTTP\/1\.1 413 /, 'before the body has come')
    for (let n = 0; n < 8; n += 1) {
      await passing(20)
      socket.write(megabyte)
    }
    t.equal(await sent, undefined, 'no reset, and the server ends it')
    t.equal(socket.bytesWritten, head.length + 8 * megabyte.length)
  })

  t.test('a body without end is not read for ever', async (t) => {
    const megabyte = Buffer.alloc(1_048_576, 'x')
    const pieces = [
      Buffer.from(`${post}Content-Length: 999999999\r\n\r\n`),
      ...Array.from({ length: 40 }, () => megabyte),
    ]
    const { text, isEnded } = await exchange(port, pieces, 5_000)
    t.match(text, /"code":"BODY_TOO_LARGE"/)
    t.ok(isEnded, 'ended by the server')
  })
})

t.test('a request that does not arrive is 408, and is not served when its rest comes late', async (t) => {
  const app = fastify({
    clientErrorHandler: answerParserError,
    requestTimeout: 300,
    http: { connectionsCheckingInterval: 50, headersTimeout: 300 },
  })
  t.teardown(() => app.close())
  let served = 0
  app.post('/', async () => void (served += 1))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  isShaped(t, await exchange(port, 'POST / HTTP/1.1\r\nHost: x\r\n', 3_000), 408, 'REQUEST_TIMEOUT')

  const begun = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{'
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write(begun)
  const [answer] = await once(socket, 'data')
  t.match(String(answer), /^HTTP\/1\.1 408 /)
  socket.end('}')
  await once(socket, 'close')
  t.equal(served, 0)
})

t.test(
  'a request is answered once: what is wrong with the rest of its body ends the connection, and says nothing',
  async (t) => {
    const { app } = await startService(t)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const head =
      'POST /api/designs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    const hidden = 'GET /api/cache/stats HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const rest of [
      'zz\r\n',
      '2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n',
      `2\r\n{}${hidden}`,
      `ffffffffffffffffff\r\n${hidden}`,
    ]) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      let text = ''
      socket.setEncoding('latin1').on('data', (more: string) => (text += more))
      socket.write(head)
      // Refused for want of a token, before the body is there.
      await once(socket, 'data')
      socket.write(rest)
      await once(socket, 'close')
      t.match(text, /^HTTP\/1\.1 401 /)
      t.equal(text.match(/HTTP\/1\.1/g)?.length, 1, JSON.stringify(rest))
    }
  },
)

t.test('while the service closes, a request that has begun is served, and its connection ends', async (t) => {
  const { app } = await startService(t)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /api/cache/stats HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.write('GET /api/cache/stats HTTP/1.1\r\nHo')
  await passing(200)
  const closed = app.close()
  await passing(50)
  socket.write('st: x\r\n\r\n')
  const [answer] = await once(socket, 'data')
  t.match(String(answer), /^HTTP\/1\.1 200 OK\r\n/)
  t.match(String(answer), /\r\nconnection: close\r\n/i)
  await once(socket, 'end')
  socket.destroy()
  await closed
})

function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
