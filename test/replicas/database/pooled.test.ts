import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { staleFor, until } from '../../helpers/deadline.js'
import { startPgbouncer } from '../../helpers/servers/pgbouncer.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const BOUND_MS = 1_000
const ROUNDS = 20

t.test('two replicas behind a transaction pooler', async (t) => {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  const pooler = await startPgbouncer(postgres.port)
  t.teardown(async () => {
    await Promise.all([pooler.stop(), redis.stop()])
    await postgres.stop()
  })
  const direct = await postgres.createDatabase()
  const env = { DATABASE_URL: pooler.urlOf(direct), REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const one = await startService(t, { env })
  const two = await startService(t, { env })
  const user = await one.newUser()
  const headers = { authorization: `Bearer ${user.token}` }
  const { body: design } = await user.post('/api/designs', DESIGN)
  const url = `/api/designs/${design.id}`

  const slowest = async (): Promise<number> => {
    let longest = 0
    for (let n = 0; n < ROUNDS; n++) {
      await two.anonymous.get(url, headers)
      const description = `${performance.now()}`
      t.equal((await user.patch(url, { description })).status, 200)
      const acknowledgedAt = performance.now()
      const shows = async () => (await two.anonymous.get(url, headers)).body.description === description
      const staleMs = await staleFor(acknowledgedAt, shows, { intervalMs: 1, describe: 'the write shows' })
      longest = Math.max(longest, staleMs)
    }
    return longest
  }

  await t.test('the tail carries the bound alone: no session outlives a transaction there', async (t) => {
    const longest = await slowest()
    t.ok(longest < BOUND_MS, `${Math.round(longest)} ms at most`)
  })

  await t.test('they stay coherent while nothing happens', async (t) => {
    for (let n = 0; n < 15; n++) {
      await sleep(100)
      t.equal(two.app.cache.state, 'coherent')
    }
  })

  await t.test('DATABASE_UNPOOLED_URL brings the notifications back', async (t) => {
    const three = await startService(t, {
      env: { ...env, CACHE_STALENESS_BOUND_MS: '60000', DATABASE_UNPOOLED_URL: direct },
    })
    await three.anonymous.get(url, headers)
    await user.patch(url, { description: 'told at once' })
    const shows = async () => (await three.anonymous.get(url, headers)).body.description === 'told at once'
    await until(shows, { timeoutMs: 2_000, describe: 'long before the next tail' })
    t.equal(three.app.cache.health().announcements, 'healthy')
  })
})
