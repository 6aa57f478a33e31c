import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.setTimeout(120_000)

t.test('Roundhouse-Version and Roundhouse-Min-Version', async (t) => {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
  const env = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: '60000' }
  const statements: string[] = []
  const writer = await startService(t, { env })
  // It LISTENs to another database: with H at a minute it hears of nothing by itself for 20 s.
  const deaf = { ...env, DATABASE_UNPOOLED_URL: await postgres.createDatabase() }
  const reader = await startService(t, { env: deaf, onQuery: (name) => statements.push(name) })
  // When it begins to listen, everything is in doubt until a tail.
  const isListening = () => reader.app.cache.health().announcements === 'healthy'
  await until(isListening, { describe: 'the reader listens' })
  const user = await writer.newUser()
  const headersOf = (token: string, version?: string) => ({
    authorization: `Bearer ${token}`,
    ...(version !== undefined && { 'roundhouse-min-version': version }),
  })

  await t.test('it covers authentication: a token made or revoked elsewhere a moment ago', async (t) => {
    const { body: issued, headers } = await user.post(`/api/users/${user.id}/tokens`, { name: 'spare' })
    t.equal((await reader.anonymous.get('/api/users/me', headersOf(issued.token))).status, 200)
    t.ok(headers['roundhouse-version'])
    const revoked = await user.delete(`/api/users/${user.id}/tokens/${issued.id}`)
    t.equal((await reader.anonymous.get('/api/users/me', headersOf(issued.token))).status, 200, 'within the bound')
    const version = revoked.headers['roundhouse-version']
    t.equal((await reader.anonymous.get('/api/users/me', headersOf(issued.token, version))).status, 401)
  })

  await t.test('it covers authentication: a user made inactive and active again elsewhere', async (t) => {
    const other = await writer.newUser()
    const me = async (version?: string) =>
      (await reader.anonymous.get('/api/users/me', headersOf(other.token, version))).status
    t.equal(await me(), 200)
    const set = async (isActive: boolean) => {
      const { headers } = await writer.admin.patch(`/api/users/${other.id}`, { is_active: isActive })
      return headers['roundhouse-version']
    }
    const inactive = await set(false)
    t.equal(await me(), 200, 'within the bound')
    t.equal(await me(inactive), 401)
    const active = await set(true)
    t.equal(await me(), 401, 'within the bound')
    t.equal(await me(active), 200)
  })

  await t.test('a replica without caching takes and gives them too', async (t) => {
    const plain = await startService(t, { env: { ...env, ENABLE_CACHING: 'false' } })
    const { body, headers } = await user.post('/api/designs', DESIGN)
    const path = `/api/designs/${body.id}`
    t.equal((await plain.anonymous.get(path, headersOf(user.token, headers['roundhouse-version']))).status, 200)
    await reader.anonymous.get(path, headersOf(user.token, headers['roundhouse-version']))
    const payload = { description: 'by the one without' }
    const changed = await plain.anonymous.patch(path, payload, headersOf(user.token))
    const read = await reader.anonymous.get(path, headersOf(user.token, changed.headers['roundhouse-version']))
    t.match(read, { status: 200, body: payload })
  })

  await t.test('what was not given out, or was altered, is 400, without a query and before any token', async (t) => {
    const { headers } = await user.post('/api/designs', DESIGN)
    const version = headers['roundhouse-version'] ?? ''
    const flipped = `${version.slice(0, 20)}${version[20] === 'A' ? 'B' : 'A'}${version.slice(21)}`
    statements.length = 0
    for (const forged of ['', 'x', `${version}A`, version.slice(1), flipped, 'A'.repeat(version.length)]) {
      const answer = await reader.anonymous.get('/api/designs', headersOf('none', forged))
      t.match(answer, { status: 400, body: { code: 'INVALID_VERSION' } }, forged)
    }
    t.same(
      statements.filter((name) => !name.startsWith('health')),
      [],
    )
  })

  await t.test('it tells nothing: two of neighbouring writes have nothing in common', async (t) => {
    const versions = []
    for (let n = 0; n < 8; n++) versions.push((await user.post('/api/designs', DESIGN)).headers['roundhouse-version'])
    t.equal(new Set(versions.map((version) => version?.slice(0, 6))).size, 8)
    for (const version of versions) t.notMatch(Buffer.from(version ?? '', 'base64url').toString('latin1'), /\0\0\0\0/)
  })

  await t.test('a secret of one’s own seals it: the other’s is not accepted', async (t) => {
    const other = await startService(t, { env: { ...env, TOKEN_SECRET: 'a secret of our own, of 32 characters' } })
    const { headers } = await user.post('/api/designs', DESIGN)
    const answer = await other.anonymous.get('/api/designs', headersOf(user.token, headers['roundhouse-version']))
    t.equal(answer.status, 400)
  })

  await t.test('one from before a restart of the database is answered after one reading of the journal', async () => {
    const { headers } = await user.post('/api/designs', DESIGN)
    await postgres.restart()
    const answer = async () =>
      (await reader.anonymous.get('/api/designs', headersOf(user.token, headers['roundhouse-version']))).status
    await until(async () => (await answer()) === 200, { timeoutMs: 20_000, describe: 'answered' })
  })

  await t.test('nothing that proves who somebody is, is ever in Redis', async (t) => {
    for (const path of ['/api/users/me', '/api/designs', `/api/users/${user.id}/tokens`]) {
      await reader.anonymous.get(path, headersOf(user.token))
    }
    const client = new Redis(redis.url)
    const keys = await client.keys('*')
    const values = await Promise.all(keys.map((key) => client.get(key)))
    client.disconnect()
    t.ok(keys.length > 0)
    for (const key of keys) t.notMatch(key, /tokens|profile/)
    const hash = createHash('sha256').update(user.token).digest('hex')
    for (const value of values) t.notMatch(value ?? '', /@example\.com|expires_at_ms/)
    for (const text of [...keys, ...values]) t.notOk(text?.includes(hash) || text?.includes(user.token))
  })
})

t.test('what a refused write has seen is not contradicted by a later read on that replica', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const user = await newUser()
  const { body, headers } = await user.post('/api/designs', DESIGN)
  const url = `/api/designs/${body.id}`
  await user.get(url)
  await user.get(url)
  await app.db.query({ name: 'test', text: `update designs set description = 'newer'` })
  t.equal((await user.patch(url, { description: 'mine' }, { 'if-match': headers['etag'] ?? '' })).status, 412)
  t.equal((await user.get(url)).body.description, 'newer')
  await app.db.query({ name: 'test', text: 'delete from designs' })
  t.equal((await user.patch(url, { description: 'mine' })).status, 404)
  t.equal((await user.get(url)).status, 404)
})

t.test('a change that changes nothing moves neither version nor time nor ETag', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()
  const { body, headers } = await user.post('/api/designs', { ...DESIGN, description: 'same' })
  const same = await user.patch(`/api/designs/${body.id}`, { description: 'same' })
  t.match(same, { status: 200, body: { version: 1, updated_at: body.updated_at } })
  t.equal(same.headers['etag'], headers['etag'])
  const other = await user.patch(`/api/designs/${body.id}`, { description: 'other' })
  t.equal(other.body.version, 2)
})
