import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { startService, type TestService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { sharedPostgres, sharedRedis } from '../../helpers/servers/shared-servers.js'

/** Short, so that what comes in time comes by reading the journal: whoever uses psql announces nothing. */
const BOUND_MS = 400
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const id = (n: number): string => `01a2069f-0000-7000-8000-${String(n).padStart(12, '0')}`

t.setTimeout(120_000)

t.test('SQL of others beside the service, on two replicas that have everything cached', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
  const url = await postgres.serviceDatabase()
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const replicas = [await startService(t, { env }), await startService(t, { env })]
  const [first] = replicas
  if (first === undefined) throw new Error('There are two')
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())

  const readBy =
    (user: UserCaller, path: string) =>
    ({ anonymous }: TestService) =>
      anonymous.get(path, { authorization: `Bearer ${user.token}` })
  const warm = async (user: UserCaller, ...paths: string[]): Promise<void> => {
    for (const replica of replicas) {
      for (const path of paths) {
        const isHit = async () => (await readBy(user, path)(replica)).headers['cache-status']?.includes('detail=memory')
        await until(isHit, { describe: `${path} is a hit` })
      }
    }
  }
  /** What both replicas answer once the bound is over. */
  const afterwards = async (sql: string, user: UserCaller, path: string) => {
    await client.query(sql)
    await sleep(BOUND_MS)
    return Promise.all(replicas.map(readBy(user, path)))
  }
  const newDesign = async (user: UserCaller, fields: object = {}): Promise<string> =>
    (await user.post('/api/designs', { ...DESIGN, ...fields })).body.id

  await t.test('INSERT: what was missing is there, one row and sixty', async (t) => {
    const user = await first.newUser()
    const insert = (from: number, to: number) => `insert into designs (id, user_id, filename, file_path, platform)
      select ('01a2069f-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${user.id}', 'f' || n, '/', 'etsy'
      from generate_series(${from}, ${to}) n`
    await warm(user, `/api/designs/${id(1)}`, '/api/designs', `/api/designs/${id(40)}`)
    for (const { status } of await afterwards(insert(1, 1), user, `/api/designs/${id(1)}`)) t.equal(status, 200)
    // More than 50 tags: their owner's is raised instead, and the one of the missing rows of all owners.
    await warm(user, `/api/designs/${id(40)}`, '/api/designs')
    for (const { status } of await afterwards(insert(2, 61), user, `/api/designs/${id(40)}`)) t.equal(status, 200)
    for (const { body } of await Promise.all(replicas.map(readBy(user, '/api/designs?limit=100'))))
      t.equal(body.items.length, 61)
  })

  await t.test('UPDATE of one row: itself, its lists, and what refers to it', async (t) => {
    const user = await first.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const design = await newDesign(user, { template_ids: [template.id] })
    const { body: mockup } = await user.post('/api/mockups', { name: 'front', template_id: template.id })
    const paths = [`/api/designs/${design}`, `/api/mockups/${mockup.id}`, '/api/templates']
    await warm(user, ...paths)
    const sql = `update templates set title = 'Cup' where id = '${template.id}'`
    for (const { body } of await afterwards(sql, user, '/api/templates')) t.equal(body.items[0].title, 'Cup')
    for (const path of paths.slice(0, 2)) {
      for (const replica of replicas) {
        t.notMatch((await readBy(user, path)(replica)).headers['cache-status'], 'detail=memory', path)
      }
    }
  })

  await t.test('UPDATE of the owner: gone for the one, there for the other, of one row and of sixty', async (t) => {
    const [from, to] = [await first.newUser(), await first.newUser()]
    const design = await newDesign(from)
    const path = `/api/designs/${design}`
    await warm(from, path, '/api/designs')
    await warm(to, path, '/api/designs')
    const one = `update designs set user_id = '${to.id}' where id = '${design}'`
    for (const { status } of await afterwards(one, from, path)) t.equal(status, 404)
    for (const { status } of await Promise.all(replicas.map(readBy(to, path)))) t.equal(status, 200)

    await client.query(`insert into designs (id, user_id, filename, file_path, platform)
      select gen_random_uuid(), '${to.id}', 'f', '/', 'etsy' from generate_series(1, 60)`)
    await sleep(BOUND_MS)
    await warm(from, path, '/api/designs?limit=100')
    await warm(to, path, '/api/designs?limit=100')
    const all = `update designs set user_id = '${from.id}' where user_id = '${to.id}'`
    for (const { status } of await afterwards(all, from, path)) t.equal(status, 200, 'a missing row of its new owner')
    for (const { status } of await Promise.all(replicas.map(readBy(to, path)))) t.equal(status, 404)
    const lists = replicas.flatMap((replica) =>
      [from, to].map((user) => readBy(user, '/api/designs?limit=100')(replica)),
    )
    t.same(
      (await Promise.all(lists)).map(({ body }) => body.items.length),
      [61, 0, 61, 0],
    )
  })

  await t.test('DELETE of a referred row, whose cascade changes another table', async (t) => {
    const user = await first.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const design = await newDesign(user)
    const fields = { name: 'front', template_id: template.id, design_id: design }
    const { body: mockup } = await user.post('/api/mockups', fields)
    await warm(user, `/api/mockups/${mockup.id}`, `/api/designs/${design}`)
    const sql = `delete from designs where id = '${design}'`
    for (const { body } of await afterwards(sql, user, `/api/mockups/${mockup.id}`)) {
      t.match(body, { design_id: null, version: 2 })
    }
    for (const { status } of await Promise.all(replicas.map(readBy(user, `/api/designs/${design}`))))
      t.equal(status, 404)
  })

  await t.test('COPY, and a data-modifying WITH', async (t) => {
    const user = await first.newUser()
    await warm(user, '/api/designs', `/api/designs/${id(7_001)}`)
    const rows = `echo "${id(7_001)}\t${user.id}\tf\t/\tetsy"`
    const copy = `copy designs (id, user_id, filename, file_path, platform) from program '${rows}'`
    for (const { status } of await afterwards(copy, user, `/api/designs/${id(7_001)}`)) t.equal(status, 200)
    await warm(user, '/api/designs', `/api/designs/${id(7_001)}`)
    const moved = `with gone as (delete from designs where id = '${id(7_001)}' returning *)
      insert into designs (id, user_id, filename, file_path, platform)
      select '${id(7_002)}', user_id, filename, file_path, platform from gone`
    for (const { body } of await afterwards(moved, user, '/api/designs')) {
      t.same(
        body.items.map((item: { id: string }) => item.id),
        [id(7_002)],
      )
    }
    for (const { status } of await Promise.all(replicas.map(readBy(user, `/api/designs/${id(7_001)}`))))
      t.equal(status, 404)
  })

  await t.test('what was rolled back never shows, and what a savepoint kept does', async (t) => {
    const user = await first.newUser()
    const design = await newDesign(user)
    const path = `/api/designs/${design}`
    const set = (text: string) => `update designs set description = '${text}' where id = '${design}'`
    await warm(user, path)
    const sql = `begin; ${set('kept')}; savepoint s; ${set('rolled back')}; rollback to s; commit`
    for (const { body } of await afterwards(sql, user, path)) t.match(body, { description: 'kept', version: 2 })
    await warm(user, path)
    for (const { body } of await afterwards(`begin; ${set('never')}; rollback`, user, path))
      t.match(body, { description: 'kept', version: 2 })
  })

  await t.test('a user made inactive, and a token deleted, are refused', async (t) => {
    const [user, other] = [await first.newUser(), await first.newUser()]
    await warm(user, '/api/users/me')
    await warm(other, '/api/users/me')
    const inactive = `update users set is_active = false where id = '${user.id}'`
    for (const { status } of await afterwards(inactive, user, '/api/users/me')) t.equal(status, 401)
    const active = `update users set is_active = true where id = '${user.id}'`
    for (const { status } of await afterwards(active, user, '/api/users/me')) t.equal(status, 200)
    const revoked = `delete from tokens where user_id = '${other.id}'`
    for (const { status } of await afterwards(revoked, other, '/api/users/me')) t.equal(status, 401)
  })

  await t.test('TRUNCATE', async (t) => {
    const user = await first.newUser()
    const path = `/api/designs/${await newDesign(user)}`
    await warm(user, path, '/api/designs')
    for (const { status } of await afterwards('truncate mockups, designs', user, path)) t.equal(status, 404)
    const lists = await Promise.all(replicas.map(readBy(user, '/api/designs')))
    for (const { body } of lists) t.same(body.items, [])
  })
})
