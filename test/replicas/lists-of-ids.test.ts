import { Redis } from 'ioredis'
import t from 'tap'
import { startService, type TestService } from '../helpers/app.js'
import { staleFor, until } from '../helpers/deadline.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

/** A machine that is busy with other tests may not get to a tail within less. */
const BOUND_MS = 20_000
const LISTS = 385

/** What a catalogue's pages ask for: by filters, orders and lengths, of which none hangs on a description. */
function urls(): string[] {
  const narrowed = [
    '',
    'platform=etsy',
    'platform=shopify',
    'is_active=true',
    'tag=fox',
    'any_tag=fox,owl',
    'external_id=none',
  ]
  const all = narrowed.flatMap((filter) =>
    ['sort=-created', 'sort=created', 'sort=name', 'sort=-name', 'total=true'].flatMap((order) =>
      Array.from(
        { length: 11 },
        (_, n) => `/api/designs?${[filter, order, `limit=${20 + 2 * n}`].filter((part) => part !== '').join('&')}`,
      ),
    ),
  )
  return all.slice(0, LISTS)
}

/** How often rows, and lists, were loaded here. */
async function loads({ admin }: TestService): Promise<{ rows: number; lists: number }> {
  const { domains } = (await admin.get('/api/cache/stats')).body
  return { rows: domains.designs?.loads ?? 0, lists: domains.design_lists?.loads ?? 0 }
}

t.test('a PATCH of one description leaves the lists of its owner as they are', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
  const env = {
    DATABASE_URL: await postgres.serviceDatabase(),
    REDIS_URL: redis.url,
    CACHE_STALENESS_BOUND_MS: `${BOUND_MS}`,
    CACHE_MAX_MEMORY_ITEMS: '50000',
  }
  const [one, two] = [await startService(t, { env }), await startService(t, { env })]
  await until(async () => [one, two].every(({ app }) => app.cache.state === 'coherent'), {
    describe: 'both are coherent',
  })
  const user = await one.newUser()
  const onTwo = (url: string) => two.anonymous.get(url, { authorization: `Bearer ${user.token}` })
  const bodies = Array.from({ length: 60 }, (_, n) => ({
    filename: `${String((n * 37) % 60).padStart(2, '0')}.png`,
    file_path: `/designs/${n}.png`,
    description: `${n} ${'A picture of a fox that looks at the moon. '.repeat(8)}`,
    tags: n % 2 === 0 ? ['fox', 'moon'] : ['fox', 'owl'],
    platform: n % 4 === 0 ? 'shopify' : 'etsy',
  }))
  await one.app.designs.createMissing(user.id, bodies)
  const lists = urls()
  t.equal(new Set(lists).size, LISTS)
  const texts = new Map<string, string>()
  const etags = new Map<string, string | undefined>()
  for (const url of lists) {
    const { text, headers } = await user.get(url)
    texts.set(url, text)
    etags.set(url, headers['etag'])
  }
  const warm = await loads(one)
  t.equal(warm.lists, LISTS)
  t.equal(warm.rows, 0, 'what the lists have read is not read again')

  await t.test('in Redis a list is its ids', async (t) => {
    const client = new Redis(redis.url)
    const keys = (await client.keys('*')).filter((key) => key.includes(`:e:${user.id}/designs?`))
    t.equal(keys.length, LISTS)
    const lengths = await Promise.all(keys.map((key) => client.strlen(key)))
    const bytes = lengths.reduce((sum, length) => sum + length, 0)
    const asTexts = [...texts.values()].reduce((sum, { length }) => sum + length, 0)
    t.comment(`${LISTS} lists: ${bytes} bytes in Redis, ${asTexts} as texts`)
    t.ok(bytes < (asTexts * 0.3) / 4, `${bytes} bytes, ${asTexts} as texts`)
    await client.quit()
  })

  const first = (await user.get('/api/designs?limit=1&sort=created')).body.items[0]
  const before = await loads(one)
  await user.patch(`/api/designs/${first.id}`, { description: 'new' })
  const changed = lists.filter((url) => texts.get(url)?.includes(first.id))
  t.ok(changed.length > 100, `${changed.length} lists have the row`)

  await t.test('where it was written each list has the new text at once, by one load of the row', async (t) => {
    const wrong: string[] = []
    for (const url of lists) {
      const { text, headers } = await user.get(url)
      const isNew = changed.includes(url)
      if (text.includes('"description":"new"') !== isNew || (headers['etag'] !== etags.get(url)) !== isNew)
        wrong.push(url)
    }
    t.same(wrong, [], 'the new text with another ETag, in these lists alone')
    const { rows, lists: ofLists } = await loads(one)
    t.same({ rows: rows - before.rows, lists: ofLists - before.lists }, { rows: 1, lists: 0 })
  })

  await t.test('elsewhere within the bound, without a load: ids and rows are in Redis', async (t) => {
    const [url = ''] = changed
    const shows = async (): Promise<boolean> => (await onTwo(url)).text.includes('"description":"new"')
    t.ok((await staleFor(performance.now(), shows, { describe: 'the new text' })) < BOUND_MS)
    for (const each of lists.filter((_, n) => n % 5 === 0))
      t.equal((await onTwo(each)).text, (await user.get(each)).text, each)
    t.same(await loads(two), { rows: 0, lists: 0 })
  })
})
