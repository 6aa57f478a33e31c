import t from 'tap'
import { rowEtag } from '../../../../services/documents/etag.js'
import { startService } from '../../../helpers/app.js'

const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('users', async (t) => {
  const { admin, newUser } = await startService(t)
  const created = await admin.post('/api/users', { email: 'Ann@Example.com', shop_name: 'Ann’s' })
  const url = `/api/users/${created.body.id}`
  const tag = (version: number, id: string = created.body.id): string => rowEtag(id, version)

  t.test('are created by an administrator with 201', async (t) => {
    t.equal(created.status, 201)
    t.match(created.headers, { location: `users/${created.body.id}`, etag: tag(1) })
    t.match(created.body, {
      email: 'Ann@Example.com',
      shop_name: 'Ann’s',
      role: 'member',
      subscription_plan: 'free',
      is_active: true,
      version: 1,
    })
    const full = { email: 'b@example.com', shop_name: 'B', role: 'owner', subscription_plan: 'pro', is_active: false }
    t.match(await admin.post('/api/users', full), { status: 201, body: full })
  })

  t.test('are read through the cache', async (t) => {
    const { text } = await admin.get(url)
    const again = await admin.get(url.toUpperCase().replace('/API/USERS', '/api/users'))
    t.equal(again.text, text)
    t.match(again.headers, { 'cache-status': /; hit;/, etag: tag(1), 'cache-control': 'private, no-cache' })
    t.equal((await admin.get(url, { 'if-none-match': tag(1) })).status, 304)
    t.equal((await admin.get(`/api/users/${UNKNOWN_ID}`)).status, 404)
    t.equal((await admin.get('/api/users/7')).status, 404)
  })

  t.test('have an address of their own, whatever its letter case', async (t) => {
    const taken = { status: 409, body: { code: 'EMAIL_TAKEN' } }
    t.match(await admin.post('/api/users', { email: 'ann@example.COM', shop_name: 'x' }), taken)
    const { body } = await admin.post('/api/users', { email: 'carl@example.com', shop_name: 'x' })
    t.match(await admin.patch(`/api/users/${body.id}`, { email: 'ANN@example.com' }), taken)
    t.equal((await admin.patch(`/api/users/${body.id}`, { email: 'CARL@example.com' })).status, 200, 'their own')
  })

  t.test('are refused with 400 when a field is not right', async (t) => {
    const user = { email: 'x@example.com', shop_name: 'x' }
    const refused = [
      { ...user, email: 'x' },
      { ...user, email: 'x@' },
      { ...user, email: `${'x'.repeat(250)}@example.com` },

      { ...user, email: 'x\0@example.com' },
      { ...user, role: 'king' },
      { ...user, subscription_plan: 'gold' },
      { ...user, is_active: 1 },
      { ...user, id: UNKNOWN_ID },
      { shop_name: 'x' },
      { ...user, shop_name: '' },
    ]
    for (const body of refused) t.equal((await admin.post('/api/users', body)).status, 400, JSON.stringify(body))
    t.equal((await admin.patch(url, {})).status, 400)
    t.equal((await admin.patch(url, { email: null })).status, 400)
  })

  t.test('change in part, and under If-Match', async (t) => {
    const changed = await admin.patch(url, { subscription_plan: 'enterprise' }, { 'if-match': tag(1) })
    t.match(changed, {
      status: 200,
      headers: { etag: tag(2) },
      body: { subscription_plan: 'enterprise', role: 'member' },
    })
    t.equal((await admin.get(url)).text, changed.text)
    t.equal((await admin.patch(url, { role: 'owner' }, { 'if-match': tag(1) })).status, 412)
    t.equal((await admin.delete(url, { 'if-match': tag(1) })).status, 412)
    t.equal((await admin.patch(`/api/users/${UNKNOWN_ID}`, { role: 'owner' }, { 'if-match': tag(1) })).status, 404)
  })

  t.test('are listed newest first, page by page', async (t) => {
    const ids: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body, status } = await admin.get(`/api/users?limit=2${cursor && `&cursor=${cursor}`}`)
      t.equal(status, 200)
      ids.push(...body.items.map(({ id }: { id: string }) => id))
      cursor = body.next_cursor
    }
    t.same(ids, [...ids].sort().toReversed())
    t.equal(new Set(ids).size, 3)
    t.equal((await admin.get('/api/users?limit=0')).status, 400)
    t.equal((await admin.get('/api/users?email=x')).status, 400)
    t.match(await admin.get('/api/users?cursor=x'), { status: 400, body: { code: 'INVALID_CURSOR' } })
  })

  t.test('share no ETag: what a browser kept of one is not vouched for as the next one’s', async (t) => {
    const [ann, bob] = [await newUser(), await newUser()]
    const kept = await ann.get('/api/users/me')
    t.equal(kept.headers['vary'], 'Authorization')
    const asked = await bob.get('/api/users/me', { 'if-none-match': kept.headers['etag'] ?? '' })
    t.match(asked, { status: 200, body: { id: bob.id } })
    t.equal((await ann.get('/api/users/me', { 'if-none-match': kept.headers['etag'] ?? '' })).status, 304)
    const change = { shop_name: 'x' }
    t.equal((await bob.patch('/api/users/me', change, { 'if-match': kept.headers['etag'] ?? '' })).status, 412)
  })

  t.test('read and change themselves, but not what they may do or pay for', async (t) => {
    const user = await newUser()
    t.match(await user.get('/api/users/me'), {
      status: 200,
      body: { id: user.id },
      headers: { 'cache-status': /; hit;/ },
    })
    const changed = await user.patch(
      '/api/users/me',
      { shop_name: 'New', email: 'new@example.com' },
      { 'if-match': tag(1, user.id) },
    )
    t.match(changed, {
      status: 200,
      body: { shop_name: 'New', email: 'new@example.com' },
      headers: { etag: tag(2, user.id) },
    })
    t.equal((await user.get('/api/users/me')).text, changed.text, 'and see it at once')
    t.equal((await user.patch('/api/users/me', { shop_name: 'x' }, { 'if-match': tag(1, user.id) })).status, 412)
    t.equal((await user.patch('/api/users/me', { email: 'ann@example.com' })).status, 409)
    for (const field of [{ role: 'owner' }, { subscription_plan: 'pro' }, { is_active: true }, {}]) {
      t.equal((await user.patch('/api/users/me', field)).status, 400)
    }
  })

  t.test('may send back what they read, and what they may not change is named', async (t) => {
    const user = await newUser()
    const { body: read } = await user.get('/api/users/me')
    t.match(await user.patch('/api/users/me', { ...read, shop_name: 'Sent back' }), {
      status: 200,
      body: { shop_name: 'Sent back', role: 'member', version: 2 },
    })
    const { body: now } = await user.get('/api/users/me')
    for (const [field, value] of Object.entries({
      role: 'owner',
      subscription_plan: 'pro',
      is_active: false,
      id: UNKNOWN_ID,
    })) {
      const refused = await user.patch('/api/users/me', { ...now, [field]: value })
      t.match(refused, { status: 400, body: { code: 'READ_ONLY_FIELD', message: new RegExp(`^body: ${field} `) } })
    }
    t.same((await user.get('/api/users/me')).body, now)
    const byAdmin = await admin.patch(`/api/users/${user.id}`, { ...now, role: 'owner' })
    t.match(byAdmin, { status: 200, body: { role: 'owner', version: 3 } })
    const stale = await admin.patch(`/api/users/${user.id}`, { ...now, role: 'admin' })
    t.match(stale, { status: 400, body: { code: 'READ_ONLY_FIELD' } })
    t.equal((await admin.patch(`/api/users/${user.id}`, { role: 'admin' }, { 'if-none-match': '*' })).status, 412)
    t.equal((await admin.delete(`/api/users/${user.id}`, { 'if-none-match': tag(3, user.id) })).status, 412)
    t.equal((await admin.delete(`/api/users/${user.id}`, { 'if-none-match': tag(2, user.id) })).status, 204)
  })

  t.test('take every row of theirs with them', async (t) => {
    const user = await newUser()
    const { body: template } = await user.post('/api/templates', {
      name: 'n',
      title: 't',
      platform: 'etsy',
      product_type: 'mug',
    })
    const design = { filename: 'f', file_path: '/f', platform: 'etsy', template_ids: [template.id] }
    const { body: made } = await user.post('/api/designs', design)
    await user.post('/api/mockups', { name: 'm', template_id: template.id, design_id: made.id })
    await user.get(`/api/designs/${made.id}`)
    t.equal((await admin.delete(`/api/users/${user.id}`)).status, 204)
    t.equal((await admin.delete(`/api/users/${user.id}`)).status, 404)
    t.equal((await admin.get(`/api/users/${user.id}`)).status, 404)
    t.equal((await user.get(`/api/designs/${made.id}`)).status, 401, 'their token is gone too')
  })
})
