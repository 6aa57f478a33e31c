import t from 'tap'
import { startService } from '../../helpers/app.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy', tags: ['a', 'b'], description: null }
const TEMPLATE = {
  name: 'Mug',
  title: 'Mug',
  platform: 'etsy',
  product_type: 'mug',
  tags: ['x'],
  price: { cents: 1_200, currency: 'EUR' },
}

t.test('the database owns version and updated_at: they move when the content does', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const user = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const { body: design } = await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
  const mockup = { name: 'm', template_id: template.id, images: [{ filename: 'i.png', file_path: '/i.png' }] }
  const { body: made } = await user.post('/api/mockups', mockup)
  const rows = [
    { caller: user, url: `/api/templates/${template.id}`, same: TEMPLATE, other: { title: 'Cup' } },
    { caller: user, url: `/api/designs/${design.id}`, same: DESIGN, other: { tags: ['b', 'a'] } },
    { caller: user, url: `/api/designs/${design.id}`, same: { template_ids: [template.id] }, other: { tags: [] } },
    { caller: user, url: `/api/mockups/${made.id}`, same: mockup, other: { images: [] } },
    { caller: user, url: '/api/users/me', same: { shop_name: 'A shop' }, other: { shop_name: 'Another' } },
    { caller: admin, url: `/api/users/${user.id}`, same: { is_active: true }, other: { role: 'admin' } },
  ]

  for (const { caller, url, same, other } of rows) {
    await t.test(`PATCH ${url.replace(/[0-9a-f-]{36}/, ':id')} ${Object.keys(same).join()}`, async (t) => {
      const before = await caller.get(url)
      const { body, headers, status } = await caller.patch(url, same)
      t.equal(status, 200)
      t.strictSame(body, before.body, 'the same row, with its version and its time')
      t.equal(headers['etag'], before.headers['etag'])
      t.ok(headers['roundhouse-version'], 'and a version for reads that must not be older')
      t.equal((await caller.get(url, { 'if-none-match': before.headers['etag'] ?? '' })).status, 304)
      const conditional = await caller.patch(url, other, { 'if-match': before.headers['etag'] ?? '' })
      t.equal(conditional.status, 200, 'so that whoever read before may still change it')
      t.equal(conditional.body.version, before.body.version + 1)
      t.ok(conditional.body.updated_at > before.body.updated_at)
      t.equal(conditional.body.created_at, before.body.created_at)
      t.equal((await caller.patch(url, same, { 'if-match': before.headers['etag'] ?? '' })).status, 412)
      t.equal((await caller.get(url)).body.version, before.body.version + 1)
    })
  }

  await t.test('what changed nothing leaves what is cached as it is', async (t) => {
    const url = `/api/designs/${design.id}`
    const { body } = await user.get(url)
    await user.get(url)
    await user.patch(url, { filename: body.filename })
    t.match((await user.get(url)).headers['cache-status'], 'detail=memory')
  })

  await t.test('what changed nothing is in no journal and rewrites no row', async (t) => {
    const state = async (): Promise<object[]> =>
      app.db.query({
        name: 'test',
        text: `select (select count(*)::integer from cache_journal) as journal, d.ctid::text as design, u.ctid::text as owner
          from designs d join users u on u.id = d.user_id where d.id = '${design.id}'`,
      })
    const before = await state()
    const { body } = await user.get(`/api/designs/${design.id}`)
    const { filename, tags, template_ids: ids, description } = body
    await user.patch(`/api/designs/${design.id}`, { filename, tags, template_ids: ids, description })
    await user.patch('/api/users/me', { shop_name: (await user.get('/api/users/me')).body.shop_name })
    await admin.patch(`/api/users/${user.id}`, { is_active: true })
    t.same(await state(), before)
    t.equal((await user.patch('/api/designs/01a2069f-0000-7000-8000-000000000001', { filename })).status, 404)
  })

  await t.test('SQL that sets them itself is overruled', async (t) => {
    const url = `/api/designs/${design.id}`
    const { body: before } = await user.get(url)
    const set = async (what: string) => {
      await app.db.query({ name: 'test', text: `update designs set ${what} where id = '${design.id}'` })
      return (
        await app.db.query<{ version: string; updated_at: Date }>({
          name: 'test',
          text: `select version::text, updated_at from designs where id = '${design.id}'`,
        })
      )[0]
    }
    const same = await set(`version = 99, updated_at = '2001-01-01'`)
    t.equal(same?.version, `${before.version}`)
    t.equal(same?.updated_at.toISOString(), before.updated_at)
    const changed = await set(`version = 99, updated_at = '2001-01-01', description = 'by hand'`)
    t.equal(changed?.version, `${before.version + 1}`)
    t.ok((changed?.updated_at.toISOString() ?? '') > before.updated_at)
  })
})
