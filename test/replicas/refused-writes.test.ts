import t from 'tap'
import { Caller, startService, type UserCaller } from '../helpers/app.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

t.setTimeout(120_000)

t.test('what refused a write is not answered from memory as if it were still so', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
  const url = await postgres.serviceDatabase()
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: '60000' }
  const writer = await startService(t, { env })
  // It reads the journal every 20 s, and LISTENs to another database: by itself it hears of nothing.
  const unpooled = await postgres.serviceDatabase()
  const here = await startService(t, { env: { ...env, DATABASE_UNPOOLED_URL: unpooled } })

  /** The same user at the replica that hears of nothing. */
  const at = ({ token }: UserCaller): Caller => new Caller(here.app, token)
  const warm = async (caller: Caller, ...paths: string[]): Promise<void> => {
    // What was written before is heard of now, and not by the refusal.
    await here.app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
    for (const path of paths) await caller.get(path)
    for (const path of paths) {
      const { headers } = await caller.get(path)
      if (!headers['cache-status']?.includes('detail=memory')) throw new Error(`${path} is no hit in memory`)
    }
  }

  for (const method of ['PATCH', 'DELETE'] as const) {
    await t.test(`412 to ${method}`, async (t) => {
      const user = await writer.newUser()
      const { body: design, headers } = await user.post('/api/designs', DESIGN)
      const path = `/api/designs/${design.id}`
      const reads = [path, '/api/designs', `/api/designs?ids=${design.id}`]
      await warm(at(user), ...reads.slice(0, 2))
      const { headers: changed } = await user.patch(path, { description: 'new' })
      const ifMatch = { 'if-match': headers['etag'] ?? '' }
      const refused =
        method === 'PATCH' ? at(user).patch(path, { filename: 'mine' }, ifMatch) : at(user).delete(path, ifMatch)
      t.equal((await refused).status, 412)
      for (const read of reads) t.match((await at(user).get(read)).text, '"description":"new"', read)
      t.equal((await at(user).get(path)).headers['etag'], changed['etag'])
    })

    await t.test(`404 to ${method}`, async (t) => {
      const user = await writer.newUser()
      const { body: design } = await user.post('/api/designs', DESIGN)
      const path = `/api/designs/${design.id}`
      await warm(at(user), path, '/api/designs')
      await user.delete(path)
      const refused = method === 'PATCH' ? at(user).patch(path, { filename: 'mine' }) : at(user).delete(path)
      t.equal((await refused).status, 404)
      t.equal((await at(user).get(path)).status, 404)
      t.same((await at(user).get('/api/designs')).body.items, [])
    })
  }

  await t.test('412 to a change of oneself', async (t) => {
    const user = await writer.newUser()
    const before = await at(user).get('/api/users/me')
    await warm(at(user), '/api/users/me')
    await user.patch('/api/users/me', { shop_name: 'new' })
    const ifMatch = { 'if-match': before.headers['etag'] ?? '' }
    t.equal((await at(user).patch('/api/users/me', { shop_name: 'mine' }, ifMatch)).status, 412)
    t.equal((await at(user).get('/api/users/me')).body.shop_name, 'new')
  })

  await t.test('422: the row that the body names is gone', async (t) => {
    const user = await writer.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const { body: design } = await user.post('/api/designs', DESIGN)
    const path = `/api/templates/${template.id}`
    for (const refuse of [
      () => at(user).post('/api/mockups', { name: 'front', template_id: template.id }),
      () => at(user).patch(`/api/designs/${design.id}`, { template_ids: [template.id] }),
    ]) {
      await warm(at(user), path, '/api/templates')
      await user.delete(path)
      t.equal((await refuse()).status, 422)
      t.equal((await at(user).get(path)).status, 404)
      t.same((await at(user).get('/api/templates')).body.items, [])
      await writer.app.db.query({
        name: 'test.restore',
        text: `insert into templates (id, user_id, name, title, platform, product_type)
          values ($1::uuid, $2::uuid, 'mug', 'Mug', 'etsy', 'mug')`,
        values: [template.id, user.id],
      })
    }
  })

  await t.test('409: what uses the row was made elsewhere', async (t) => {
    const user = await writer.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    await warm(at(user), '/api/mockups')
    const { body: mockup } = await user.post('/api/mockups', { name: 'front', template_id: template.id })
    t.equal((await at(user).delete(`/api/templates/${template.id}`)).status, 409)
    t.match((await at(user).get('/api/mockups')).body.items, [{ id: mockup.id }])
  })

  const refusals: [string, (id: string) => Promise<{ readonly status: number }>][] = [
    ['a change', (id) => here.admin.patch(`/api/users/${id}`, { shop_name: 'mine' })],
    ['a deletion', (id) => here.admin.delete(`/api/users/${id}`)],
    ['a new token', (id) => here.admin.post(`/api/users/${id}/tokens`, { name: 'x' })],
    ['a revocation', (id) => here.admin.delete(`/api/users/${id}/tokens/${id}`)],
    ['a clear', (id) => here.admin.post(`/api/cache/clear/user/${id}`, {})],
  ]
  for (const [what, refuse] of refusals) {
    await t.test(`404 to ${what} of a user who is gone`, async (t) => {
      const user = await writer.newUser()
      await warm(at(user), '/api/users/me', '/api/designs')
      await writer.admin.delete(`/api/users/${user.id}`)
      t.equal((await refuse(user.id)).status, 404)
      t.equal((await here.admin.get(`/api/users/${user.id}`)).status, 404)
      t.equal((await at(user).get('/api/designs')).status, 401)
    })
  }

  await t.test('401 to a new row of a user who is gone', async (t) => {
    const user = await writer.newUser()
    await warm(at(user), '/api/users/me', '/api/designs')
    await writer.admin.delete(`/api/users/${user.id}`)
    t.equal((await at(user).post('/api/designs', DESIGN)).status, 401)
    t.equal((await here.admin.get(`/api/users/${user.id}`)).status, 404)
    t.equal((await at(user).get('/api/users/me')).status, 401)
  })

  await t.test('404 to a revocation: the token was revoked elsewhere', async (t) => {
    const user = await writer.newUser()
    const { body: second } = await user.post(`/api/users/${user.id}/tokens`, { name: 'second' })
    const holder = new Caller(here.app, second.token)
    await warm(holder, '/api/users/me')
    const path = `/api/users/${user.id}/tokens/${second.id}`
    await user.delete(path)
    t.equal((await at(user).delete(path)).status, 404)
    t.equal((await holder.get('/api/users/me')).status, 401)
  })

  await t.test('404 to a clear of a template that is gone', async (t) => {
    const user = await writer.newUser()
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const path = `/api/templates/${template.id}`
    await warm(at(user), path, '/api/templates')
    await user.delete(path)
    t.equal((await at(user).post(`/api/cache/clear/template/${template.id}`, {})).status, 404)
    t.equal((await at(user).get(path)).status, 404)
    t.same((await at(user).get('/api/templates')).body.items, [])
  })
})
