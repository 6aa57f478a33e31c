import t from 'tap'
import { ADMIN_TOKEN, type Answer, Caller, startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'

const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

/** By their places: an underscore may also stand inside of each. */
function partsOf(token: string): { owner: string; secret: string; mac: string } {
  return { owner: token.slice(4, 26), secret: token.slice(27, 70), mac: token.slice(71) }
}

t.test('bearer tokens', async (t) => {
  const { app, admin, anonymous, newUser } = await startService(t)
  const user = await newUser()
  const other = await newUser()

  t.test('each route is open to exactly those it is for', async (t) => {
    const design = { filename: 'f', file_path: '/f', platform: 'etsy' }
    const routes: [string, string, object | undefined, { anonymous: number; user: number; admin: number }][] = [
      ['GET', '/api/users', undefined, { anonymous: 401, user: 403, admin: 200 }],
      ['POST', '/api/users', { email: 'z@example.com', shop_name: 'z' }, { anonymous: 401, user: 403, admin: 201 }],
      ['GET', `/api/users/${other.id}`, undefined, { anonymous: 401, user: 403, admin: 200 }],
      ['GET', `/api/users/${user.id}`, undefined, { anonymous: 401, user: 403, admin: 200 }],
      ['PATCH', `/api/users/${other.id}`, { shop_name: 'y' }, { anonymous: 401, user: 403, admin: 200 }],
      ['DELETE', `/api/users/${UNKNOWN_ID}`, undefined, { anonymous: 401, user: 403, admin: 404 }],
      ['GET', '/api/users/me', undefined, { anonymous: 401, user: 200, admin: 403 }],
      ['PATCH', '/api/users/me', { shop_name: 'y' }, { anonymous: 401, user: 200, admin: 403 }],
      ['GET', `/api/users/${user.id}/tokens`, undefined, { anonymous: 401, user: 200, admin: 200 }],
      ['GET', `/api/users/${other.id}/tokens`, undefined, { anonymous: 401, user: 403, admin: 200 }],
      ['POST', `/api/users/${user.id}/tokens`, { name: 'n' }, { anonymous: 401, user: 201, admin: 201 }],
      ['POST', `/api/users/${other.id}/tokens`, { name: 'n' }, { anonymous: 401, user: 403, admin: 201 }],
      ['DELETE', `/api/users/${user.id}/tokens/${UNKNOWN_ID}`, undefined, { anonymous: 401, user: 404, admin: 404 }],
      ['GET', '/api/designs', undefined, { anonymous: 401, user: 200, admin: 403 }],
      ['POST', '/api/designs', design, { anonymous: 401, user: 201, admin: 403 }],
      ['GET', `/api/designs/${UNKNOWN_ID}`, undefined, { anonymous: 401, user: 404, admin: 403 }],
      ['PATCH', `/api/designs/${UNKNOWN_ID}`, { filename: 'f' }, { anonymous: 401, user: 404, admin: 403 }],
      ['DELETE', `/api/designs/${UNKNOWN_ID}`, undefined, { anonymous: 401, user: 404, admin: 403 }],
      ['GET', '/api/templates', undefined, { anonymous: 401, user: 200, admin: 403 }],
      ['GET', '/api/mockups', undefined, { anonymous: 401, user: 200, admin: 403 }],
    ]
    for (const [method, url, payload, expected] of routes) {
      const options = { method, url, ...(payload === undefined ? {} : { payload }) } as Parameters<Caller['send']>[0]
      const statuses = {
        anonymous: (await anonymous.send(options)).status,
        user: (await user.send(options)).status,
        admin: (await admin.send(options)).status,
      }
      t.same(statuses, expected, `${method} ${url}`)
    }
  })

  t.test('a 401 says what is wanted, and that a token was refused if one came', async (t) => {
    const bare = await anonymous.get('/api/designs')
    t.match(bare, { status: 401, body: { statusCode: 401, code: 'UNAUTHORIZED', error: 'Unauthorized' } })
    t.match(bare.headers['www-authenticate'], /^Bearer/)
    t.notMatch(bare.headers['www-authenticate'], 'error=')
    const { owner, secret } = partsOf(user.token)
    const made = `rh_${owner}_${'A'.repeat(43)}`
    for (const token of [
      'x',
      made,
      made.replace('rh_', 'rh-'),
      `rh_${owner}_${secret}`,
      user.token.replace(secret, 'A'.repeat(43)),
      `${user.token}x`,
      user.token.slice(1),
      '\u00e9'.repeat(40),
    ]) {
      for (const url of ['/api/designs', '/api/users', `/api/users/${user.id}/tokens`]) {
        const refused = await new Caller(app, token).get(url)
        t.equal(refused.status, 401, token)
        t.match(refused.headers['www-authenticate'], /^Bearer.*error="invalid_token"/)
      }
    }
    for (const authorization of ['Basic abc', user.token, 'Bearer', 'Bearer ', '']) {
      t.equal((await anonymous.get('/api/designs', { authorization })).status, 401, authorization)
    }
    t.equal(
      (await anonymous.get('/api/designs', { authorization: `bearer ${user.token}` })).status,
      200,
      'any letter case',
    )
  })

  t.test('a token of one user does not open another one', async (t) => {
    const { secret, mac } = partsOf(user.token)
    const { owner } = partsOf(other.token)
    for (const mixed of [`rh_${owner}_${secret}`, `rh2_${owner}_${secret}_${mac}`]) {
      t.equal((await new Caller(app, mixed).get('/api/users/me')).status, 401)
    }
  })

  t.test('a revoked token is refused at once', async (t) => {
    const { body } = await user.post(`/api/users/${user.id}/tokens`, { name: 'short' })
    const holder = new Caller(app, body.token)
    t.equal((await holder.get('/api/users/me')).status, 200)
    t.equal((await user.delete(`/api/users/${user.id}/tokens/${body.id}`)).status, 204)
    t.equal((await holder.get('/api/users/me')).status, 401)
    t.equal((await user.get('/api/users/me')).status, 200, 'the others go on')
  })

  t.test('an expired token is refused, also when its lookup is cached', async (t) => {
    const issue = async (ms: number) => {
      const expires = new Date(Date.now() + ms).toISOString()
      const { body } = await user.post(`/api/users/${user.id}/tokens`, { name: 'x', expires_at: expires })
      return new Caller(app, body.token)
    }
    const [short, long] = [await issue(2_000), await issue(60_000)]
    t.equal((await short.get('/api/users/me')).status, 200)
    await until(async () => (await short.get('/api/users/me')).status === 401, { describe: 'the token expires' })
    t.equal((await short.get('/api/users/me')).status, 401)
    t.equal((await long.get('/api/users/me')).status, 200)
  })

  t.test('a deactivated user is refused at once, and let in again', async (t) => {
    t.equal((await other.get('/api/users/me')).status, 200)
    await admin.patch(`/api/users/${other.id}`, { is_active: false })
    t.equal((await other.get('/api/users/me')).status, 401)
    t.equal((await other.get(`/api/users/${other.id}/tokens`)).status, 401)
    await admin.patch(`/api/users/${other.id}`, { is_active: true })
    t.equal((await other.get('/api/users/me')).status, 200)
  })

  t.test('a deleted user is refused at once', async (t) => {
    const gone = await newUser()
    t.equal((await gone.get('/api/designs')).status, 200)
    await admin.delete(`/api/users/${gone.id}`)
    t.equal((await gone.get('/api/designs')).status, 401)
  })
})

t.test('several administrators have tokens of their own', async (t) => {
  const tokens = ['a-first-admin-token-of-32-characters', 'a-second-admin-token-of-32-characters']
  const { app } = await startService(t, { env: { ADMIN_TOKENS: tokens.join(',') } })
  for (const token of tokens) t.equal((await new Caller(app, token).get('/api/users')).status, 200)
  t.equal((await new Caller(app, tokens.join(',')).get('/api/users')).status, 401)
})

t.test('an administrator who may only look reads statistics, health and entries, and nothing else', async (t) => {
  const token = 'a-token-of-a-dashboard-of-32-characters'
  const { app, newUser } = await startService(t, { env: { ADMIN_TOKENS: `${ADMIN_TOKEN},grafana:read:${token}` } })
  const user = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const dashboard = new Caller(app, token)
  const inspection = `/api/cache/inspect?key=${encodeURIComponent(`${user.id}/profile`)}`
  for (const url of ['/api/cache/stats', '/api/cache/health', inspection]) {
    t.equal((await dashboard.get(url)).status, 200, url)
  }
  const refused: [string, string, object?][] = [
    ['POST', '/api/cache/clear', {}],
    ['POST', `/api/cache/clear/user/${user.id}`, {}],
    ['POST', `/api/cache/clear/template/${template.id}`, {}],
    ['GET', '/api/users'],
    ['POST', '/api/users', { email: 'z@example.com', shop_name: 'z' }],
    ['GET', '/api/users/me'],
    ['PATCH', '/api/users/me', { shop_name: 'y' }],
    ['GET', `/api/users/${user.id}`],
    ['PATCH', `/api/users/${user.id}`, { shop_name: 'y' }],
    ['DELETE', `/api/users/${user.id}`],
    ['GET', `/api/users/${user.id}/tokens`],
    ['POST', `/api/users/${user.id}/tokens`, { name: 'n' }],
    ['DELETE', `/api/users/${user.id}/tokens/${UNKNOWN_ID}`],
    ...['designs', 'templates', 'mockups'].flatMap((name): [string, string, object?][] => [
      ['GET', `/api/${name}`],
      ['POST', `/api/${name}`, {}],
      ['GET', `/api/${name}/${template.id}`],
      ['PATCH', `/api/${name}/${template.id}`, { name: 'x' }],
      ['DELETE', `/api/${name}/${template.id}`],
    ]),
  ]
  for (const [method, url, payload] of refused) {
    const options = { method, url, ...(payload && { payload }) } as Parameters<Caller['send']>[0]
    t.match(await dashboard.send(options), { status: 403, body: { code: 'FORBIDDEN' } }, `${method} ${url}`)
  }
  for (const wrong of ['grafana', `grafana:${token}`, `grafana:read:${token}`, `read:${token}`]) {
    t.equal((await new Caller(app, wrong).get(inspection)).status, 401, wrong)
  }
})

t.test('a known token costs no query', async (t) => {
  const queries: string[] = []
  const { newUser } = await startService(t, { onQuery: (name) => queries.push(name) })
  const user = await newUser()
  const count = () => queries.filter((name) => /^(tokens|users)\.find/.test(name)).length
  await user.get('/api/designs')
  t.equal(count(), 1, 'the token and the user in one statement')
  await user.get('/api/designs')
  await user.get('/api/users/me')
  t.equal(count(), 1)
})

t.test('whoever comes at the same time shares the lookup, and nobody is taken for another', async (t) => {
  const queries: string[] = []
  const { admin, newUser } = await startService(t, { onQuery: (name) => queries.push(name) })
  const [revoked, first, ...others] = [await newUser(), await newUser(), await newUser(), await newUser()]
  const tokens = `/api/users/${revoked.id}/tokens`
  const { body } = await admin.get(tokens)
  await admin.delete(`${tokens}/${body.items[0].id}`)
  queries.length = 0
  const everybody = [first, revoked, ...others, first]
  const answers = await Promise.all(everybody.map((user) => user?.get('/api/users/me')))
  t.same(
    answers.map((answer) => (answer?.status === 200 ? answer.body.id : answer?.status)),
    everybody.map((user) => (user === revoked ? 401 : user?.id)),
  )
  const lookups = queries.filter((name) => /^(tokens|users)\.find/.test(name)).length
  t.ok(lookups <= 2, `${lookups}: the first alone, and the others together`)
})

t.test('invented tokens of the kind without a MAC are looked up for a while, then told to wait', async (t) => {
  let lookups = 0
  const onQuery = (name: string): void => void (lookups += Number(name === 'tokens.find'))
  const { app, newUser } = await startService(t, { onQuery })
  const user = await newUser()
  const { owner, mac } = partsOf(user.token)
  await user.get('/api/designs')
  const [before, statuses] = [lookups, new Map<number, number>()]
  const { memoryItems } = app.cache.stats()
  const told = new Map<number, Answer>()
  const invent = async (n: number): Promise<void> => {
    const secret = Buffer.alloc(32, n % 256).fill(n >> 8, 1)
    const answer = await new Caller(app, `rh_${owner}_${secret.toString('base64url')}`).get('/api/designs')
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    told.set(answer.status, answer)
  }
  // What is under way when the bound is reached still counts, so that it is reached on a slow machine too.
  await Promise.all(Array.from({ length: 300 }, (_, n) => invent(n)))
  for (let n = 300; n < 310; n++) await invent(n)
  t.same(new Set(statuses.keys()), new Set([401, 429]))
  t.match(told.get(429), { headers: { 'retry-after': /^\d+$/ }, body: { code: 'TOO_MANY_REQUESTS' } })
  t.equal(lookups - before, statuses.get(401), 'what is told to wait costs no lookup')
  for (let n = 0; n < 300; n++) {
    const invented = `rh2_${owner}_${Buffer.alloc(32, n % 256).toString('base64url')}_${mac}`
    t.equal((await new Caller(app, invented).get('/api/designs')).status, 401)
  }
  t.equal(lookups - before, statuses.get(401), 'nor does what has a MAC that is wrong')
  t.equal(app.cache.stats().memoryItems, memoryItems, 'and nothing of it pushes out what users read')
  t.equal((await user.get('/api/designs')).status, 200)
})
