import { fastify } from 'fastify'
import type { Config } from '../../plugins/config.js'
import t from 'tap'
import fp from 'fastify-plugin'
import clientAddress from '../../plugins/http/client-address.js'
import { Caller, startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const LIMITED = { status: 429, body: { code: 'RATE_LIMITED' }, headers: { 'retry-after': /^[1-9]\d*$/ } }

t.test(
  'a token has so many requests a minute, whatever it asks for; another token of the same user has its own',
  async (t) => {
    const { app, admin, newUser, anonymous } = await startService(t, { env: { RATE_LIMIT_PER_MINUTE: '3' } })
    const user = await newUser()
    const { body } = await user.post(`/api/users/${user.id}/tokens`, { name: 'second' })
    t.match(await user.get('/api/designs'), {
      status: 200,
      headers: { 'ratelimit-limit': '3', 'ratelimit-remaining': '1' },
    })
    t.equal((await user.post('/api/designs', {})).status, 400)
    t.match(await user.get('/api/designs'), LIMITED)
    t.match(await user.get('/api/templates'), {
      ...LIMITED,
      headers: { 'ratelimit-remaining': '0', 'ratelimit-reset': /\d/ },
    })
    t.equal((await new Caller(app, body.token).get('/api/designs')).status, 200)
    t.equal((await (await newUser()).get('/api/designs')).status, 200)
    for (let n = 0; n < 5; n += 1) {
      t.equal((await admin.get('/api/users')).status, 200, 'administrators are free')
      t.equal((await anonymous.get('/api/cache/health')).status, 200)
      t.equal((await anonymous.get('/api/cache/stats')).status, 200)
    }
  },
)

t.test('an address that sends refused tokens is told to wait, and good tokens from there go on', async (t) => {
  const { app, newUser, anonymous } = await startService(t, { env: { RATE_LIMIT_REFUSED_TOKENS: '2' } })
  const user = await newUser()
  const guesses = [new Caller(app, 'rh_guess-1'), new Caller(app, 'no-token-of-ours'), new Caller(app, 'rh_guess-3')]
  t.equal((await guesses[0]?.get('/api/designs'))?.status, 401)
  t.equal((await guesses[1]?.get('/api/users'))?.status, 401)
  t.match(await guesses[2]?.get('/api/designs'), LIMITED)
  t.match(await guesses[2]?.get('/api/designs', { 'x-real-ip': '203.0.113.7' }), LIMITED, 'nobody is believed here')
  t.equal((await user.get('/api/designs')).status, 200)
  t.notOk('ratelimit-limit' in (await user.get('/api/designs')).headers, 'tokens are not counted')
  t.equal((await anonymous.get('/api/designs')).status, 401, 'without a token nothing is guessed')
})

t.test('nothing is counted unless it is configured', async (t) => {
  const { app, newUser } = await startService(t)
  t.notOk(app.hasDecorator('createRateLimit'))
  t.notOk('ratelimit-limit' in (await (await newUser()).get('/api/designs')).headers)
})

t.test('replicas share the limit, once they know of each other', { timeout: 60_000 }, async (t) => {
  const DATABASE_URL = await (await sharedPostgres(t)).serviceDatabase()
  const env = {
    DATABASE_URL,
    RATE_LIMIT_PER_MINUTE: '1000',
    TOKEN_SECRET: 'a-secret-of-the-tests-0123456789-0123456789',
  }
  const [first, second] = [await startService(t, { env }), await startService(t, { env })]
  const user = await first.newUser()
  for (const { app } of [first, second]) await app.listen({ port: 0, host: '127.0.0.1' })
  await until(async () => (await user.get('/api/designs')).headers['ratelimit-limit'] === '500', {
    describe: 'the limit is halved',
    timeoutMs: 30_000,
    intervalMs: 200,
  })
  await second.app.close()
  await until(async () => (await user.get('/api/designs')).headers['ratelimit-limit'] === '1000', {
    describe: 'it is whole again',
    timeoutMs: 30_000,
    intervalMs: 200,
  })
})

t.test('X-Real-IP is believed on Railway, of its edge, and nowhere else', async (t) => {
  const addressOf = async (peer: string, named: string, settings: Partial<Config>): Promise<string> => {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(fp(async (instance) => void instance.decorate('config', settings as Config), { name: 'config' }))
    await app.register(clientAddress)
    app.get('/', async (request) => request.clientAddress)
    return (await app.inject({ url: '/', remoteAddress: peer, headers: { 'x-real-ip': named } })).body
  }
  const onRailway = { deploymentId: 'a-deployment' }
  t.equal(await addressOf('100.64.0.3', '203.0.113.7', onRailway), '203.0.113.7')
  t.equal(await addressOf('::ffff:100.64.0.3', '2001:db8::7', onRailway), '2001:db8::7')
  t.equal(await addressOf('10.0.0.3', '203.0.113.7', onRailway), '10.0.0.3', 'a neighbour in the private network')
  t.equal(await addressOf('100.64.0.3', 'not an address', onRailway), '100.64.0.3')
  t.equal(await addressOf('100.64.0.3', '203.0.113.7', {}), '100.64.0.3', 'elsewhere it is an address like others')
})
