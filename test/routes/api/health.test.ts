import pg from 'pg'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const POOL = 3

t.test('a replica is unhealthy when it can not serve, not when it can not load', async (t) => {
  const postgres = await startPostgres({ max_connections: '30' })
  t.teardown(() => postgres.stop())
  const url = await postgres.createDatabase()
  const env = {
    DATABASE_URL: url,
    DATABASE_POOL_SIZE: `${POOL}`,
    DATABASE_SILENCE_MS: '700',
    CACHE_STALENESS_BOUND_MS: '1000',
  }
  const { app, anonymous, newUser } = await startService(t, { env })
  const user = await newUser()
  const { body: cached } = await user.post('/api/designs', DESIGN)
  const { body: other } = await user.post('/api/designs', DESIGN)
  const healthIs = (pattern: object) =>
    until(
      async () => {
        const { status, body } = await anonymous.get('/api/cache/health')
        const found = { code: status, status: body.status, ...body.cache_health }
        return Object.entries(pattern).every(([name, value]) => found[name] === value) && found
      },
      { describe: JSON.stringify(pattern), timeoutMs: 10_000 },
    )
  const readsCached = async () => t.equal((await user.get(`/api/designs/${cached.id}`)).status, 200)
  await readsCached()
  await healthIs({ code: 200, status: 'healthy', database: 'healthy', loads: 'healthy' })

  await t.test('a locked table takes all connections of the pool', async (t) => {
    const locker = new pg.Client(url)
    await locker.connect()
    await locker.query('begin; lock table designs')
    const waiting = Array.from({ length: 2 * POOL }, () => user.patch(`/api/designs/${other.id}`, { description: 'x' }))
    await healthIs({ code: 200, status: 'degraded', database: 'healthy', loads: 'waiting' })
    await readsCached()
    t.equal(app.cache.state, 'memory-only')
    await locker.end()
    t.ok((await Promise.all(waiting)).every(({ status }) => status === 200 || status === 503))
    await healthIs({ code: 200, status: 'healthy', loads: 'healthy' })
  })

  await t.test('the server has no room for another connection', async (t) => {
    const held: pg.Client[] = []
    t.teardown(() => Promise.all(held.map((client) => client.end())))
    await app.db.query({
      name: 'test',
      text: `select pg_terminate_backend(pid) from pg_stat_activity where query like 'select 1 as one%' and pid <> pg_backend_pid()`,
    })
    for (;;) {
      const client = new pg.Client(url)
      client.on('error', () => {})
      try {
        await client.connect()
      } catch {
        break
      }
      held.push(client)
    }
    await healthIs({ code: 200, database: 'unavailable', status: 'degraded' })
    await readsCached()
  })
  await healthIs({ code: 200, status: 'healthy' })

  await t.test('the server hangs: the journal is lost with it', async () => {
    postgres.pause()
    await healthIs({
      code: 503,
      status: 'unhealthy',
      database: 'unavailable',
      loads: 'unavailable',
      journal: 'unavailable',
    })
    postgres.resume()
    await healthIs({ code: 200, status: 'healthy' })
  })
})
