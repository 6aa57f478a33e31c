import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { packUuid } from '../../services/uuid-text.js'
import { Caller, startService } from '../helpers/app.js'
import { startRedis } from '../helpers/servers/redis.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

/** `npm run test:long` takes 100,000. */
const INVENTED = process.env['LONG_TESTS'] === undefined ? 2_000 : 100_000
const AT_ONCE = 50
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.setTimeout(600_000)

t.test('a flood of invented tokens', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), startRedis()])
  t.teardown(() => redis.stop())
  const lines: string[] = []
  const queries: string[] = []
  const env = {
    DATABASE_URL: await postgres.serviceDatabase(),
    REDIS_URL: redis.url,
    REDIS_COMMAND_TIMEOUT_MS: '10000',
    CACHE_MAX_MEMORY_ITEMS: '100',
  }
  const { app, newUser } = await startService(t, {
    env,
    logLevel: 'info',
    logDestination: { write: (line: string) => void lines.push(line) },
    onQuery: (name) => void queries.push(name),
  })
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const user = await newUser()
  const paths: string[] = []
  for (let n = 0; n < 40; n++) paths.push(`/api/designs/${(await user.post('/api/designs', DESIGN)).body.id}`)
  for (const path of paths) for (let n = 0; n < 2; n++) await user.get(path)

  // Fills go to Redis behind the answers.
  await sleep(200)

  /** What `make` invents, tried: how often each status came, and what it left. */
  const flood = async (make: () => string) => {
    const [keysBefore, itemsBefore] = [new Set(await client.keys('*')), app.cache.stats().memoryItems]
    lines.length = queries.length = 0
    const statuses: Record<number, number> = {}
    const startedAt = performance.now()
    for (let n = 0; n < INVENTED; n += AT_ONCE) {
      const tries = Array.from({ length: AT_ONCE }, () => new Caller(app, make()).get('/api/designs'))
      for (const { status } of await Promise.all(tries)) statuses[status] = (statuses[status] ?? 0) + 1
    }
    const seconds = (performance.now() - startedAt) / 1_000
    const lookups = queries.filter((name) => name.startsWith('tokens.') || name.startsWith('users.'))
    const keys = (await client.keys('*')).filter((key) => !keysBefore.has(key)).length
    const items = app.cache.stats().memoryItems - itemsBefore
    return { statuses, seconds, lookups: lookups.length, keys, items, lines: [...lines] }
  }
  const secret = (): string => randomBytes(32).toString('base64url')
  const owner = packUuid(user.id)

  await t.test('of this form costs no query, no key, no entry and no line of the log', async (t) => {
    const { statuses, lookups, keys, items, lines } = await flood(
      () => `rh2_${owner}_${secret()}_${randomBytes(16).toString('base64url')}`,
    )
    t.same(
      { statuses, lookups, keys, items, lines },
      { statuses: { 401: INVENTED }, lookups: 0, keys: 0, items: 0, lines: [] },
    )
  })

  await t.test('of the form without a MAC costs fifty lookups a second, one warning, and no entry', async (t) => {
    const { statuses, seconds, lookups, keys, items, lines } = await flood(() => `rh_${owner}_${secret()}`)
    t.equal((statuses[401] ?? 0) + (statuses[429] ?? 0), INVENTED)
    t.equal(lookups, statuses[401])
    t.ok(lookups <= 50 * (seconds + 1) + AT_ONCE, `${lookups} lookups in ${seconds} s`)
    t.same({ keys, items }, { keys: 0, items: 0 })
    t.ok(lines.length <= 1 + seconds / 60, lines.join(''))
    for (const line of lines) t.match(JSON.parse(line), { level: 'warn', message: /^Somebody invents tokens/ })
  })

  await t.test('pushes nothing out of memory that users read', async (t) => {
    for (const path of paths) t.match((await user.get(path)).headers['cache-status'], 'detail=memory')
  })
})
