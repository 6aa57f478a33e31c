import t from 'tap'
import { listName } from '../../../../services/resource/addresses.js'
import { listsOf, type ListQuery, selectionOf } from '../../../../services/resource/lists/list-query.js'
import { MOST_COUNTED } from '../../../../services/resource/lists/reading.js'
import { ResourceRows } from '../../../../services/resource/sql/rows.js'
import { templates } from '../../../../services/templates/definition.js'
import { startService } from '../../../helpers/app.js'
import { onBothDatabases } from '../../../helpers/both-databases.js'
import { Looking } from '../../../helpers/looking.js'
import { sharedPostgres } from '../../../helpers/servers/shared-servers.js'

/** What everybody has by the statistics, and what somebody has whom these do not know. */
const OTHERS = 300
const ROWS = 2_000
const LIMIT = 20
const PAGE = LIMIT + 1
const SORTS = ['created', 'updated', 'name', 'price'].flatMap((sort) => [sort, `-${sort}`])

onBothDatabases(t, async (t, { app, newUser }) => {
  const run = (text: string, values: readonly unknown[] = []) => app.db.query({ name: 'test', text, values })
  await run(`insert into users (id, email, shop_name)
    select new_row_id(n), n || '@example.org', 'x' from generate_series(1, ${OTHERS}) n`)
  await run(`insert into templates (id, user_id, name, title, platform, product_type)
    select new_row_id(n), id, 'Mug ' || n, 'Mug', 'etsy', 'mug' from users, generate_series(1, 3) n`)
  await run('analyze')
  const { id: userId } = await newUser()
  await run(
    `insert into templates (id, user_id, name, title, platform, product_type, is_active, tags, price_cents, currency, updated_at)
      select new_row_id(n), $1::uuid, 'Mug ' || n * 1009 % ${ROWS}, 'Mug', case when n % 2 = 0 then 'etsy' else 'shopify' end, 'mug',
        n % 10 <> 0, array['all', 'tag' || n % 300], n * 7919 % ${ROWS}, 'EUR', statement_timestamp() - n * interval '1 minute'
      from generate_series(1, ${ROWS}) n`,
    [userId],
  )
  const rows = new ResourceRows(templates, app.db.kind)
  const lists = listsOf(templates)

  /** How many rows each statement of the first pages reads, by either plan. */
  async function read(query: ListQuery, pages = 2): Promise<number[]> {
    const selection = (cursor: string | null) =>
      selectionOf(listName('templates', userId), lists, { limit: LIMIT, ...query, ...(cursor !== null && { cursor }) })
    let [cursor, seen]: [string | null, number[]] = [null, []]
    for (let page = 0; page < pages; page += 1) {
      const [from, looked] = [cursor, [] as number[]]
      cursor = await app.db.transaction(async (transaction) => {
        const looking = new Looking(transaction)
        const { nextCursor } = await rows.list(looking, userId, selection(from))
        for (const each of looking.seen) looked.push(each.rows)
        return nextCursor
      })
      seen = [...seen, ...looked]
      if (cursor === null) break
    }
    return seen
  }

  t.test('an order reads its page and one row more, of a user whom the statistics do not know', async (t) => {
    const since = { updated_since: new Date(Date.now() - 3_600_000).toISOString() }
    const queries: ListQuery[] = [
      ...SORTS.map((sort) => ({ sort })),
      { ...since, sort: 'updated' },
      { ...since, sort: '-updated' },
    ]
    for (const query of queries) {
      const seen = await read(query, 3)
      t.ok(seen.length >= 6 && Math.max(...seen) <= PAGE, `${JSON.stringify(query)}: ${seen.join(', ')}`)
    }
  })

  t.test('filters that fit many rows read some pages of them', async (t) => {
    for (const sort of SORTS) {
      for (const filter of [
        { platform: 'etsy' },
        { platform: 'etsy', tag: ['all'] },
        { q: 'mug' },
        { is_active: true, q: 'm' },
      ]) {
        const query = { ...filter, sort }
        const seen = await read(query)
        t.ok(seen.length >= 8 && Math.max(...seen) <= 6 * PAGE, `${JSON.stringify(query)}: ${seen.join(', ')}`)
      }
    }
  })

  t.test('a word that is said again, or begins another one, is looked up once', async (t) => {
    const asked = (q: string) => {
      const selection = selectionOf(listName('templates', userId), lists, { limit: LIMIT, q })
      return app.db.transaction(async (transaction) => {
        const looking = new Looking(transaction)
        const { ids } = await rows.list(looking, userId, selection)
        return { ids, pages: looking.seen.reduce((sum, { pages }) => sum + pages, 0) }
      })
    }
    for (const [many, one] of [
      ['t '.repeat(100), 't'],
      ['t ta TAG tag1 ta', 'tag1'],
      ['mug m 1 1 10 100 mu 1009', 'mug 1009'],
    ] as const) {
      const [some, plain] = [await asked(many), await asked(one)]
      t.same(some.ids, plain.ids, many)
      t.ok(
        plain.ids.length > 0 && some.pages <= 1.1 * plain.pages + 10,
        `${some.pages} pages, ${plain.pages} of ${one}`,
      )
    }
  })
})

t.test('a total of filters and a time reads what changed, or what fits the filters, if either is little', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const { id: userId } = await newUser()
  const run = (text: string) => app.db.query<{ since: string }>({ name: 'test', text, values: [userId] })
  await run(`insert into templates (id, user_id, name, title, platform, product_type, tags, updated_at)
    select new_row_id(n), $1::uuid, 'Mug', 'Mug', 'etsy', 'mug', array[case when n % 100 = 0 then 'rare' else 'all' end],
      statement_timestamp() - (${MOST_COUNTED + 2_000} - n) * interval '1 second'
    from generate_series(1, ${MOST_COUNTED + 2_000}) n`)
  const changedLast = async (rows: number): Promise<string> => {
    const [row] = await run(`select (updated_at at time zone 'UTC')::text || 'Z' as since from templates
      where user_id = $1::uuid order by updated_at desc offset ${rows - 1} limit 1`)
    return row?.since ?? ''
  }
  const [some, nearlyAll] = [await changedLast(300), await changedLast(MOST_COUNTED + 1_000)]
  const counting = { limit: LIMIT, total: true }
  const cases: readonly [query: ListQuery, total: number, read: number][] = [
    [{ platform: 'etsy', updated_since: some }, 300, 300],
    [{ platform: 'etsy', updated_since: some, sort: '-updated' }, 300, 300],
    [{ q: 'mug', updated_since: some }, 300, MOST_COUNTED + 301],
    [{ tag: ['rare'], updated_since: nearlyAll }, 110, MOST_COUNTED + 121],
    [{ q: 'rare', updated_since: nearlyAll }, 110, 120],
    [{ platform: 'etsy', updated_since: nearlyAll }, MOST_COUNTED, 3 * MOST_COUNTED + 2_001],
  ]
  const rows = new ResourceRows(templates, 'postgres')
  for (const [query, wanted, most] of cases) {
    const selection = selectionOf(listName('templates', userId), listsOf(templates), { ...counting, ...query })
    const [total, counts] = await app.db.transaction(async (transaction) => {
      const looking = new Looking(transaction)
      const page = await rows.list(looking, userId, selection)
      return [page.total, looking.seen.filter(({ name }) => name.includes('list-count'))]
    })
    t.equal(total?.total, wanted, JSON.stringify(query))
    // Each statement was planned twice.
    const read = counts.reduce((sum, each) => sum + each.rows, 0) / 2
    t.ok(read <= most, `${JSON.stringify(query)}: ${counts.map((each) => each.rows).join(', ')}`)
  }
})
