import t from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'

/** `npm run test:long` takes 10,000. */
const PAIRS = process.env['LONG_TESTS'] === undefined ? 2_000 : 10_000
const WRITERS = 16
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.test('a read that demands the version of a write is never older, on any replica', { timeout: 300_000 }, async (t) => {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
  const env = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: '60000' }
  const writer = await startService(t, { env })
  // With H at a minute a replica tails every 20 s only, and what it LISTENs to is another database: nobody tells it anything.
  const reader = await startService(t, { env: { ...env, DATABASE_UNPOOLED_URL: await postgres.createDatabase() } })
  const isCoherent = async () => writer.app.cache.state === 'coherent' && reader.app.cache.state === 'coherent'
  await until(isCoherent, { describe: 'both replicas are coherent' })
  const user = await writer.newUser()
  const headers = { authorization: `Bearer ${user.token}` }

  await t.test(`${PAIRS} pairs of a write here and a read there`, async (t) => {
    const wrong: string[] = []
    let staleWithout = 0
    const pairs = async (count: number): Promise<void> => {
      const { body: design } = await user.post('/api/designs', DESIGN)
      const url = `/api/designs/${design.id}`
      for (let n = 0; n < count; n++) {
        await reader.anonymous.get(url, headers)
        const written = await user.patch(url, { description: `${n}` })
        const version = written.headers['roundhouse-version'] ?? ''
        if (n % 10 === 0) {
          const unversioned = await reader.anonymous.get(url, headers)
          if (unversioned.body.description !== `${n}`) staleWithout += 1
        }
        const read = await reader.anonymous.get(url, { ...headers, 'roundhouse-min-version': version })
        if (read.body.description !== `${n}`) wrong.push(`${n}: ${read.status} ${read.text}`)
      }
    }
    await Promise.all(Array.from({ length: WRITERS }, () => pairs(PAIRS / WRITERS)))
    t.same(wrong, [])
    t.ok(staleWithout > 0, `without the header ${staleWithout} reads were older, as the slow bus allows`)
  })

  await t.test('also lists, ids, the profile, and a write of many rows', async (t) => {
    const { body: template } = await user.post('/api/templates', {
      name: 'mug',
      title: 'Mug',
      platform: 'etsy',
      product_type: 'mug',
    })
    const made = await Promise.all(
      Array.from({ length: 12 }, () => user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })),
    )
    const ids = made.map(({ body }) => body.id)
    const urls = ['/api/designs?limit=1', `/api/designs?ids=${ids.join()}`, '/api/users/me']
    for (const url of urls) await reader.anonymous.get(url, headers)
    const read = (url: string, version: string | undefined) =>
      reader.anonymous.get(url, { ...headers, 'roundhouse-min-version': version ?? '' })

    const deleted = await user.delete(`/api/templates/${template.id}`)
    t.ok((deleted.headers['roundhouse-version'] ?? '').length <= 200)
    const many = await read(`/api/designs?ids=${ids.join()}`, deleted.headers['roundhouse-version'])
    t.same(new Set(many.body.items.map((item: { template_ids: string[] }) => item.template_ids.length)), new Set([0]))
    const { body: newest, headers: created } = await user.post('/api/designs', DESIGN)
    t.equal((await read('/api/designs?limit=1', created['roundhouse-version'])).body.items[0].id, newest.id)
    const renamed = await user.patch('/api/users/me', { shop_name: 'Renamed' })
    t.equal((await read('/api/users/me', renamed.headers['roundhouse-version'])).body.shop_name, 'Renamed')
  })

  await t.test('a version that this service did not give out is 400', async (t) => {
    const forged = Buffer.alloc(27).toString('base64url')
    for (const version of ['nonsense', forged, '']) {
      const answer = await reader.anonymous.get('/api/designs', { ...headers, 'roundhouse-min-version': version })
      t.match(answer, { status: 400, body: { code: 'INVALID_VERSION' } }, version)
    }
  })

  await t.test(
    'with the journal and the database out of reach it is 503 with Retry-After, never an old answer',
    async (t) => {
      const { body: design } = await user.post('/api/designs', DESIGN)
      const url = `/api/designs/${design.id}`
      await reader.anonymous.get(url, headers)
      const written = await user.patch(url, { description: 'newest' })
      await postgres.kill()
      await redis.kill()
      const answer = await reader.anonymous.get(url, {
        ...headers,
        'roundhouse-min-version': written.headers['roundhouse-version'] ?? '',
      })
      t.equal(answer.status, 503)
      t.ok(answer.headers['retry-after'])
    },
  )
})
