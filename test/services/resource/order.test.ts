import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startService, type TestService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' } as const
const MANY = 300

t.test('on the embedded database', async (t) => {
  await suite(t, await startService(t, { isEmbedded: true }))
})

t.test('on PostgreSQL', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.serviceDatabase()
  const service = await startService(t, { env: { DATABASE_URL: url } })
  await suite(t, service)
  await wrongClocks(t, service)
  await t.test('times go up with versions, whenever a transaction began', (t) => versionsAndTimes(t, service, url))
})

/** The time that an id carries. */
function timeOf(id: string): string {
  return new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toISOString()
}

/** What a replica does whose clock is off by `ms`. */
async function offBy<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => now() + ms
  try {
    return await work()
  } finally {
    Date.now = now
  }
}

/** The embedded database has the clock of its one process. */
async function wrongClocks(t: Test, { admin, newUser }: TestService): Promise<void> {
  await t.test('a replica whose clock is wrong files rows where they belong', async (t) => {
    const user = await newUser()
    const made: { id: string; created_at: string; updated_at: string }[] = []
    for (const ms of [0, -30_000, 30_000, -3_600_000, 0]) {
      const { status, body } = await offBy(ms, () => user.post('/api/designs', DESIGN))
      t.equal(status, 201)
      made.push(body)
      await sleep(2)
    }
    t.same((await user.get('/api/designs')).body.items, made.toReversed())
    for (const { id, created_at: createdAt, updated_at: updatedAt } of made) {
      t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      t.equal(timeOf(id), createdAt, 'an id and its row’s time are of one moment')
      t.equal(updatedAt, createdAt)
    }
  })

  await t.test('rows with a reference, with a key that may be repeated, users and tokens as well', async (t) => {
    const user = await newUser()
    const { body: template } = await user.post('/api/templates', {
      name: 'M',
      title: 'M',
      platform: 'etsy',
      product_type: 'm',
    })
    const second = await offBy(-30_000, () => user.post('/api/designs', { ...DESIGN, template_ids: [template.id] }))
    const third = await offBy(-60_000, () => user.post('/api/designs', DESIGN, { 'idempotency-key': '"once"' }))
    const items: { id: string }[] = (await user.get('/api/designs')).body.items
    t.same(
      items.map(({ id }) => id),
      [third.body.id, second.body.id],
    )
    const token = await offBy(-30_000, () => user.post(`/api/users/${user.id}/tokens`, { name: 'later' }))
    t.equal(timeOf(token.body.id), token.body.created_at)
    t.equal((await user.get(`/api/users/${user.id}/tokens`)).body.items[0].id, token.body.id)
    const other = await offBy(-30_000, () => admin.post('/api/users', { email: 'later@example.com', shop_name: 'L' }))
    t.equal((await admin.get('/api/users')).body.items[0].id, other.body.id)
  })
}

async function suite(t: Test, { app, newUser }: TestService): Promise<void> {
  await t.test('rows of one import are listed in its order, the last one first', async (t) => {
    const user = await newUser()
    const bodies = Array.from({ length: MANY }, (_, n) => ({ ...DESIGN, filename: `${n}.png` }))
    await app.designs.createMissing(user.id, bodies)
    const found: string[] = []
    for (let cursor = ''; ;) {
      const { body } = await user.get(`/api/designs?limit=100${cursor}`)
      found.push(...body.items.map(({ filename }: { filename: string }) => filename))
      if (body.next_cursor === null) break
      cursor = `&cursor=${body.next_cursor}`
    }
    t.same(found, bodies.map(({ filename }) => filename).toReversed())
  })

  await t.test('who inserts without the service gets the same ids', async (t) => {
    const user = await newUser()
    const { body: before } = await user.post('/api/designs', DESIGN)
    const text = `insert into designs (user_id, filename, file_path, platform) values ('${user.id}', 'sql.png', '/s', 'etsy') returning id`
    const [row] = await app.db.query<{ id: string }>({ name: 'test', text })
    const { body: after } = await user.post('/api/designs', DESIGN)
    const { body: list } = await user.get('/api/designs')
    t.same(
      list.items.map(({ id }: { id: string }) => id),
      [after.id, row?.id, before.id],
    )
    t.equal(timeOf(row?.id ?? ''), list.items[1].created_at)
  })
}

async function versionsAndTimes(t: Test, { newUser }: TestService, url: string): Promise<void> {
  const user = await newUser()
  const { body: design } = await user.post('/api/designs', DESIGN)
  const early = new pg.Client(url)
  await early.connect()
  t.teardown(() => early.end())
  await early.query('begin; select now()')
  await sleep(50)
  const second = await user.patch(`/api/designs/${design.id}`, { description: 'by who began later' })
  await early.query(`update designs set description = 'by who began first' where id = '${design.id}'; commit`)
  const { rows } = await early.query('select version::integer, updated_at from designs where id = $1', [design.id])
  t.equal(rows[0].version, second.body.version + 1)
  t.ok(rows[0].updated_at.toISOString() >= second.body.updated_at)
  t.ok(second.body.updated_at > design.updated_at)
  await early.query(
    `alter table designs disable trigger user; update designs set updated_at = '2100-01-01'; alter table designs enable trigger user`,
  )
  const third = await early.query(
    `update designs set description = 'after the clock went back' where id = '${design.id}' returning updated_at`,
  )
  t.equal(
    third.rows[0].updated_at.toISOString(),
    '2100-01-01T00:00:00.000Z',
    'a clock that went back takes no time back',
  )
}
