import t, { type Test } from 'tap'
import { Cursors } from '../../../services/changes/cursors.js'
import { ChangesFeed, type ChangesPage } from '../../../services/changes/feed.js'
import { MOST_SCANNED } from '../../../services/changes/statements.js'
import { resources } from '../../../services/domains.js'
import { PAGE_BYTES } from '../../../services/resource/sql/bounded-rows.js'
import { LoadQueue } from '../../../services/resource/lists/load-queue.js'
import { startService } from '../../helpers/app.js'

t.setTimeout(120_000)

async function setUp(t: Test) {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const user = await newUser()
  const slept: number[] = []
  let now = 0
  const feed = new ChangesFeed({
    database: app.db,
    resources,
    cache: app.cache,
    loadQueue: new LoadQueue(),
    cursors: new Cursors(['a secret']),
    staleMs: 500,
    now: () => now,
    sleep: async (ms) => void slept.push(ms),
  })
  return {
    app,
    user,
    feed,
    slept,
    tick: (ms: number) => (now += ms),
    sql: (text: string) => app.db.query({ name: 'test', text }),
    /** Page by page to the end of the window. */
    async rest(cursor: string, limit: number): Promise<ChangesPage[]> {
      const pages: ChangesPage[] = []
      for (let next = cursor, isMore = true; isMore;) {
        const page = await feed.page(user.id, next, limit)
        pages.push(page)
        next = page.nextCursor
        isMore = page.isMore
      }
      return pages
    },
  }
}

t.test('a first cursor waits for the lists where something of the user has just changed, and only there', async (t) => {
  const { app, user, feed, slept, tick } = await setUp(t)
  const create = () => user.post('/api/designs', { filename: 'f', file_path: '/f', platform: 'etsy' })
  await feed.start(user.id)
  t.same(slept.splice(0), [500], 'nothing is known of before')
  await feed.sample()
  await feed.start(user.id)
  t.same(slept.splice(0), [500], 'what is known is too young')
  tick(501)
  await feed.start(user.id)
  t.same(slept.splice(0), [])
  await create()
  await feed.start(user.id)
  t.same(slept.splice(0), [500], 'a change since')
  await feed.sample()
  tick(501)
  await feed.start(user.id)
  t.same(slept.splice(0), [])
  await app.db.query({ name: 'test', text: 'delete from changes_witness' })
  await feed.start(user.id)
  t.same(slept, [500], 'another history')
})

t.test('a page is bounded in bytes, and a row that is longer is alone on its', async (t) => {
  const { user, feed, sql, rest } = await setUp(t)
  const cursor = await feed.start(user.id)
  const insert = (bytes: number, count: number) =>
    sql(`insert into designs (id, user_id, filename, file_path, platform, description)
      select gen_random_uuid(), '${user.id}', 'f', '/f', 'etsy', (select string_agg(md5(random()::text), '') from generate_series(1, ${bytes} / 32 + g * 0)) from generate_series(1, ${count}) g`)
  await insert(150_000, 8)
  await insert(900_000, 2)
  await insert(100, 5)
  const pages = await rest(cursor, 1_000)
  const changes = pages.flatMap((page) => page.changes.map(({ json }) => json))
  t.equal(new Set(changes.map((json) => JSON.parse(json).id)).size, 15, 'each of them')
  t.equal(changes.length, 15, 'once')
  for (const page of pages) {
    const bytes = page.changes.reduce((sum, { json }) => sum + json.length, 0)
    t.ok(bytes <= PAGE_BYTES || page.changes.length === 1, `${bytes} bytes, ${page.changes.length} changes`)
  }
})

t.test('a row that is changed again and again costs each look a bounded part of it', async (t) => {
  const { user, feed, sql, rest, slept, tick } = await setUp(t)
  const { body: design } = await user.post('/api/designs', { filename: 'f', file_path: '/f', platform: 'etsy' })
  const cursor = await feed.start(user.id)
  await feed.sample()
  tick(501)
  slept.splice(0)
  const [rounds, each] = [11, 500]
  // Each of one transaction goes through what the earlier ones of it left behind: together they would take longer than the cache waits.
  for (let round = 1; round <= rounds; round += 1)
    await sql(`do $$ begin for n in 1..${each} loop
      update designs set description = '${round} ' || n where id = '${design.id}'; end loop; end $$`)
  t.ok(rounds * each > MOST_SCANNED)
  await feed.start(user.id)
  t.same(slept, [500], 'a first cursor waits for the lists, though the look did not get as far as the newest')
  t.match(await user.post('/api/designs', { filename: 'g', file_path: '/g', platform: 'etsy' }), { status: 201 })
  const pages = await rest(cursor, 100)
  t.same(
    pages.map((page) => page.changes.length),
    [0, 2],
  )
  t.match(JSON.parse(pages[1]!.changes[0]!.json), { id: design.id, row: { version: rounds * each + 1 } })
})

t.test(
  'rows of one transaction are gone through page by page, and what it deleted again is told as gone',
  async (t) => {
    const { user, feed, sql, rest } = await setUp(t)
    const cursor = await feed.start(user.id)
    await sql(`with made as (insert into designs (id, user_id, filename, file_path, platform)
    select gen_random_uuid(), '${user.id}', 'f' || g, '/f', 'etsy' from generate_series(1, 100) g returning id) select from made`)
    await sql(`do $$ begin
    insert into templates (id, user_id, name, title, platform, product_type) select id, user_id, 'm', 'm', 'etsy', 'm' from designs;
    delete from templates where name = 'm';
    update designs set filename = 'g' where filename = 'f1';
  end $$`)
    const changes = (await rest(cursor, 7)).flatMap((page) => page.changes.map(({ json }) => JSON.parse(json)))
    const of = (resource: string, kind: string) =>
      new Set(changes.filter((change) => change.resource === resource && change.kind === kind).map(({ id }) => id)).size
    t.equal(of('designs', 'changed'), 100)
    t.equal(of('templates', 'deleted'), 100, 'with the same ids in another resource')
    t.equal(changes.length, 200)
  },
)
