import t from 'tap'
import { startService } from '../helpers/app.js'
import { staleFor, until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const BOUND_MS = 1_000

t.test('two replicas on one Postgres and one Redis', async (t) => {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
  const env = {
    DATABASE_URL: await postgres.createDatabase(),
    REDIS_URL: redis.url,
    CACHE_STALENESS_BOUND_MS: `${BOUND_MS}`,
  }
  const one = await startService(t, { env })
  const two = await startService(t, { env })
  const isCoherent = async (): Promise<boolean> =>
    one.app.cache.state === 'coherent' && two.app.cache.state === 'coherent'
  await until(isCoherent, { describe: 'both replicas are coherent' })

  const [user, stranger] = [await one.newUser(), await one.newUser()]
  const { body: design } = await user.post('/api/designs', DESIGN)
  const url = `/api/designs/${design.id}`
  const elsewhere = { authorization: `Bearer ${user.token}` }
  const readOnTwo = () => two.anonymous.get(url, elsewhere)

  await t.test('what one has loaded the other finds in Redis, then in memory', async (t) => {
    t.match((await user.get(url)).headers['cache-status'], 'fwd=miss; stored')
    t.match((await readOnTwo()).headers['cache-status'], 'detail=redis')
    t.match((await readOnTwo()).headers['cache-status'], 'detail=memory')
  })

  await t.test('a write on one is read on the other within the bound', async (t) => {
    await user.patch(url, { description: 'a red fox' })
    const acknowledgedAt = performance.now()
    const shows = async () => (await readOnTwo()).body.description === 'a red fox'
    t.ok((await staleFor(acknowledgedAt, shows, { describe: 'the write shows' })) < BOUND_MS)
  })

  await t.test('a token revoked on one is refused on the other within the bound', async (t) => {
    const { body: spare } = await user.post(`/api/users/${user.id}/tokens`, { name: 'spare' })
    const spareHeaders = { authorization: `Bearer ${spare.token}` }
    t.equal((await two.anonymous.get(url, spareHeaders)).status, 200)
    t.equal((await user.delete(`/api/users/${user.id}/tokens/${spare.id}`)).status, 204)
    const revokedAt = performance.now()
    t.equal((await one.anonymous.get(url, spareHeaders)).status, 401, 'at once where it was revoked')
    const isRefused = async () => (await two.anonymous.get(url, spareHeaders)).status === 401
    t.ok((await staleFor(revokedAt, isRefused, { describe: 'refused there too' })) < BOUND_MS)
  })

  await t.test(
    'with Redis killed, writes still reach the other within the bound, and Redis is taken up again',
    async (t) => {
      await redis.kill()
      t.equal((await user.patch(url, { description: 'a grey fox' })).status, 200)
      const acknowledgedAt = performance.now()
      const shows = async () => (await readOnTwo()).body.description === 'a grey fox'
      t.ok((await staleFor(acknowledgedAt, shows, { describe: 'the write shows' })) < BOUND_MS)
      const isLost = () => two.app.cache.state === 'memory-only'
      await until(isLost, { timeoutMs: 10_000, describe: 'no answer for a second is an outage' })
      t.match((await two.anonymous.get('/api/cache/health')).body, {
        status: 'degraded',
        state: 'memory-only',
        cache_health: { redis: 'unavailable', journal: 'healthy' },
      })
      await redis.restart({ empty: true })
      await until(isCoherent, { timeoutMs: 10_000, describe: 'both replicas use Redis again' })
      t.equal((await readOnTwo()).body.description, 'a grey fox')
    },
  )

  await t.test('with Postgres down, memory answers and says so, to whom it knew; nobody writes', async (t) => {
    await readOnTwo()
    await postgres.kill()
    const isUnhealthy = async (): Promise<boolean> => (await two.anonymous.get('/api/cache/health')).status === 503
    await until(isUnhealthy, { timeoutMs: 10_000, describe: 'health says that it cannot serve' })
    // Until the bound is over, memory is as good as ever, and so are tokens.
    await until(() => two.app.cache.state === 'isolated', { describe: 'the journal is missed' })
    t.match(await readOnTwo(), { status: 200, headers: { 'cache-status': /detail=stale-if-error/, age: /^\d+$/ } })
    const unknown = await two.anonymous.get(url, { authorization: `Bearer ${stranger.token}` })
    const write = await two.anonymous.patch(url, { description: 'a black fox' }, elsewhere)
    for (const refused of [unknown, write]) {
      t.match(refused, { status: 503, headers: { 'retry-after': /^\d+$/ } })
    }
    await postgres.restart()
    await until(async () => (await readOnTwo()).status === 200, { timeoutMs: 15_000, describe: 'it serves again' })
    await until(isCoherent, { timeoutMs: 10_000, describe: 'both replicas are coherent again' })
  })
})
