import t, { type Test } from 'tap'
import { type Answer, startService } from '../../helpers/app.js'

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
    for (const origin of [SHOP, 'capacitor://localhost']) {
      const answer = await anonymous.send({ method: 'OPTIONS', url: '/api/designs/1', headers: { ...ASKED, origin } })
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
    ]
    t.same(
      answers.map(({ status }) => status),
      [200, 304, 200, 401, 400, 404, 405, 200],
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

t.test('a star is every page', async (t) => {
  const { anonymous } = await serviceFor(t, '*')
  const { headers } = await anonymous.get('/api/cache/stats', { origin: 'https://anywhere.example' })
  t.equal(headers['access-control-allow-origin'], '*')
})
