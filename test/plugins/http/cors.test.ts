import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ADMIN_TOKEN, type Answer, startService } from '../../helpers/app.js'
import { exchange } from '../../helpers/raw-http.js'

const SHOP = 'https://shop.example'
const ASKED = { origin: SHOP, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'if-match' }

function corsHeaders({ headers }: Answer): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'))
}

async function serviceFor(t: Test, origins?: string) {
  return startService(t, origins === undefined ? {} : { env: { CORS_ORIGINS: origins } })
}

t.test('without CORS_ORIGINS no page may ask', async (t) => {
  const { anonymous, newUser } = await serviceFor(t)
  const user = await newUser()
  const read = await user.get('/api/users/me', { origin: SHOP })
  t.same(corsHeaders(read), [])
  t.equal(read.headers['vary'], 'Authorization')
  const preflight = await anonymous.send({ method: 'OPTIONS', url: '/api/users/me', headers: ASKED })
  t.match(preflight, { status: 204, headers: { allow: /PATCH/ } })
  t.same(corsHeaders(preflight), [])
})

t.test('with it, pages of these origins may ask, and read what they need', async (t) => {
  const { anonymous, newUser } = await serviceFor(t, `${SHOP}, capacitor://localhost`)
  const user = await newUser()

  t.test('a preflight needs no token', async (t) => {
    for (const [origin, url] of [
      [SHOP, '/api/designs/1'],
      ['capacitor://localhost', '/api/designs/1'],
      // Or the page could not ask, and never read what is wrong.
      [SHOP, '/api/designs/%ff'],
      [SHOP, `/api/designs/${'a'.repeat(4_000)}`],
    ] as const) {
      const answer = await anonymous.send({ method: 'OPTIONS', url, headers: { ...ASKED, origin } })
      t.match(answer, { status: 204, text: '' })
      t.match(answer.headers, {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
        'access-control-allow-headers': 'if-match',
        'access-control-max-age': '7200',
        'access-control-allow-credentials': undefined,
        vary: /\bOrigin\b/i,
      })
    }
  })

  t.test('answers, errors too, name the origin, what is exposed, and what they vary by', async (t) => {
    const me = await user.get('/api/users/me', { origin: SHOP })
    t.equal(me.headers['vary'], 'Authorization, Origin')
    const answers = [
      me,
      await user.get('/api/users/me', { origin: SHOP, 'if-none-match': me.headers['etag'] ?? '' }),
      await user.get('/api/designs', { origin: SHOP }),
      await anonymous.get('/api/users/me', { origin: SHOP }),
      await user.get('/api/designs?limit=0', { origin: SHOP }),
      await anonymous.get('/nowhere', { origin: SHOP }),
      await anonymous.send({ method: 'PUT', url: '/api/designs', headers: { origin: SHOP } }),
      await anonymous.get('/api/cache/health', { origin: SHOP }),
      await user.get('/api/designs/%ff', { origin: SHOP }),
      await user.send({ method: 'HEAD', url: '/%', headers: { origin: SHOP } }),
      await user.get(`/api/designs/${'a'.repeat(3_100)}`, { origin: SHOP }),
      await user.post('/api/designs', { filename: 'a'.repeat(200_000) }, { origin: SHOP }),
    ]
    t.same(
      answers.map(({ status }) => status),
      [200, 304, 200, 401, 400, 404, 405, 200, 400, 400, 400, 413],
    )
    for (const { headers } of answers) {
      t.equal(headers['access-control-allow-origin'], SHOP)
      t.match(headers['vary'], /\bOrigin\b/i)
      const exposed = headers['access-control-expose-headers']?.split(', ') ?? []
      for (const name of [
        'ETag',
        'Location',
        'Cache-Status',
        'RateLimit-Limit',
        'Retry-After',
        'Roundhouse-Version',
        'Age',
      ])
        t.ok(exposed.includes(name), name)
    }
  })

  t.test('others, and who is no page, are answered as without, but a cache must tell them apart', async (t) => {
    for (const origin of [
      undefined,
      'https://shop.example.evil',
      'https://SHOP.example',
      'http://shop.example',
      'null',
      '',
    ]) {
      const headers = origin === undefined ? {} : { origin }
      const read = await user.get('/api/users/me', headers)
      t.same(corsHeaders(read), [], String(origin))
      t.equal(read.headers['vary'], 'Authorization, Origin')
      const asked = await anonymous.send({
        method: 'OPTIONS',
        url: '/api/designs',
        headers: { ...headers, 'access-control-request-method': 'POST' },
      })
      t.match(asked, { status: 204, headers: { allow: /POST/ } })
      t.same(corsHeaders(asked), [], String(origin))
    }
  })

  t.test('OPTIONS that is no preflight is still answered with what a path takes', async (t) => {
    const answer = await anonymous.send({ method: 'OPTIONS', url: '/api/designs', headers: { origin: SHOP } })
    t.match(answer, {
      status: 204,
      headers: { allow: 'GET, HEAD, POST, OPTIONS', 'access-control-allow-origin': SHOP },
    })
    t.equal((await anonymous.send({ method: 'OPTIONS', url: '/nowhere', headers: { origin: SHOP } })).status, 404)
  })
})

t.test(
  'a body that does not come in time, or is broken, is told to its page; what was no request to none',
  async (t) => {
    const { app } = await serviceFor(t, `${SHOP},https://admin.example`)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const head = (origin: string): string =>
      `POST /api/designs/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nOrigin: ${origin}\r\n`
    const broken = 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'
    const origins = [SHOP, 'https://other.example']
    const [told, untold] = await Promise.all(origins.map((origin) => exchange(port, head(origin) + broken)))
    t.match(told, { status: 400, body: { code: 'MALFORMED_REQUEST' } })
    t.equal(told?.header('access-control-allow-origin'), SHOP)
    t.equal(told?.header('vary'), 'Origin')
    t.equal(untold?.header('access-control-allow-origin'), '')
    t.equal((await exchange(port, `${head(SHOP)}bad header\r\n\r\n`)).header('access-control-allow-origin'), '')
  },
)

t.test('a star is every page', async (t) => {
  const { anonymous } = await serviceFor(t, '*')
  const { headers } = await anonymous.get('/api/cache/stats', { origin: 'https://anywhere.example' })
  t.equal(headers['access-control-allow-origin'], '*')
})
