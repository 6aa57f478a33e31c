import t from 'tap'
import { startService, type TestService, type UserCaller } from '../helpers/app.js'
import { staleFor, until } from '../helpers/deadline.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

const BOUND_MS = 1_000
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

t.setTimeout(120_000)

t.test('what one replica clears', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
  const url = await postgres.serviceDatabase()
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const here = await startService(t, { env })
  // It LISTENs to another database, so that it hears of a clear by reading the journal alone.
  const there = await startService(t, { env: { ...env, DATABASE_UNPOOLED_URL: await postgres.serviceDatabase() } })
  const both = [here, there]

  const readBy = (user: UserCaller, path: string, { anonymous }: TestService) =>
    anonymous.get(path, { authorization: `Bearer ${user.token}` })
  const isInMemory = async (user: UserCaller, path: string, replica: TestService): Promise<boolean> =>
    (await readBy(user, path, replica)).headers['cache-status']?.includes('detail=memory') === true
  const warm = async (user: UserCaller, ...paths: string[]): Promise<void> => {
    // Reads the journal, so that whatever was written before is not heard of later.
    await there.app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
    for (const replica of both) {
      for (const path of paths) {
        await until(() => isInMemory(user, path, replica), { describe: `${path} is a hit` })
      }
    }
  }
  const held = async ({ anonymous }: TestService): Promise<number> =>
    (await anonymous.get('/api/cache/stats')).body.cache_stats.memory_cache_size
  /** Clears here, and waits until the other replica has read of it; in how many ms that was, counted from the answer. */
  const clear = async (path: string) => {
    const before = there.app.cache.stats().invalidations
    const { status, body } = await here.admin.post(path, {})
    const isHeard = async (): Promise<boolean> => there.app.cache.stats().invalidations > before
    const tookMs = await staleFor(performance.now(), isHeard, { describe: 'the journal is read there' })
    return { status, body, tookMs }
  }
  const leftThere = async (user: UserCaller, paths: readonly string[]): Promise<string[]> => {
    const left = await Promise.all(paths.map(async (path) => ((await isInMemory(user, path, there)) ? [path] : [])))
    return left.flat()
  }

  await t.test(
    'of a user: the memory of this replica is free at once, the other lets go within the bound',
    async (t) => {
      const [user, other] = [await here.newUser(), await here.newUser()]
      const paths = await Promise.all(
        Array.from({ length: 20 }, async () => `/api/designs/${(await user.post('/api/designs', DESIGN)).body.id}`),
      )
      const kept = `/api/designs/${(await other.post('/api/designs', DESIGN)).body.id}`
      await warm(user, ...paths, '/api/designs')
      await warm(other, kept)
      const before = await held(here)
      const cleared = await clear(`/api/cache/clear/user/${user.id}`)
      t.match(cleared, {
        status: 200,
        body: { cleared: 'user', user_id: user.id, tags: 1, message: `Cache cleared for user ${user.id}` },
      })
      // The designs, the list's ids and the list put together, the profile and the token.
      t.equal(before - (await held(here)), 24)
      t.ok(cleared.tookMs < BOUND_MS)
      t.same(await leftThere(user, [...paths, '/api/designs']), [])
      t.ok(await isInMemory(other, kept, here))
      t.ok(await isInMemory(other, kept, there))
    },
  )

  await t.test('of a template: the template, its lists, and what is made from it', async (t) => {
    const user = await here.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const { body: mockup } = await user.post('/api/mockups', { name: 'front', template_id: template.id })
    const { body: named } = await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
    const { body: lonely } = await user.post('/api/designs', DESIGN)
    const made = [`/api/mockups/${mockup.id}`, `/api/designs/${named.id}`]
    const paths = [`/api/templates/${template.id}`, '/api/templates', ...made]
    await warm(user, ...paths, `/api/designs/${lonely.id}`)
    const before = await held(here)
    const cleared = await clear(`/api/cache/clear/template/${template.id}`)
    t.match(cleared, {
      status: 200,
      body: { cleared: 'template', template_id: template.id, tags: 2 },
    })
    t.equal(before - (await held(here)), paths.length + 1, 'of the list its ids, too')
    t.ok(cleared.tookMs < BOUND_MS)
    t.same(await leftThere(user, paths), [])
    t.ok(await isInMemory(user, `/api/designs/${lonely.id}`, there))
  })

  await t.test('of everybody: both memories are free, and nothing that Redis holds is answered', async (t) => {
    const user = await here.newUser()
    const path = `/api/designs/${(await user.post('/api/designs', DESIGN)).body.id}`
    await warm(user, path)
    const cleared = await clear('/api/cache/clear')
    t.match(cleared, {
      status: 200,
      body: { cleared: 'everything', tags: 1, message: 'Cache cleared' },
    })
    t.equal(await held(here), 0)
    t.ok(cleared.tookMs < BOUND_MS)
    t.equal(await held(there), 0)
    t.match((await readBy(user, path, there)).headers['cache-status'], 'fwd=miss', 'not from Redis either')
  })
})
