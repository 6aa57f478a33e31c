import t from 'tap'
import { Caller, startService } from '../../../helpers/app.js'

const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('tokens', async (t) => {
  const { app, admin, newUser } = await startService(t, { isEmbedded: true })
  const user = await newUser()
  const stranger = await newUser()
  const url = `/api/users/${user.id}/tokens`

  t.test('show their text once, in the 201, which nobody may keep', async (t) => {
    const issued = await user.post(url, { name: 'laptop' })
    t.equal(issued.status, 201)
    t.equal(issued.headers['location'], `tokens/${issued.body.id}`)
    t.equal(issued.headers['cache-control'], 'no-store')
    t.match(issued.body, {
      name: 'laptop',
      user_id: user.id,
      expires_at: null,
      token: /^rh2_[\w-]{22}_[\w-]{43}_[\w-]{22}$/,
    })
    const { text, body } = await user.get(url)
    t.notMatch(text, issued.body.token)
    t.notMatch(text, 'hash')
    const { token: _, ...listed } = issued.body
    t.same(body.items[0], listed)
    t.equal((await new Caller(app, issued.body.token).get('/api/users/me')).body.id, user.id, 'and it works')
  })

  t.test('are listed newest first, page by page', async (t) => {
    await admin.post(url, { name: 'third' })
    const { body: first } = await admin.get(`${url}?limit=2`)
    const { body: second } = await admin.get(`${url}?limit=2&cursor=${first.next_cursor}`)
    const names = [...first.items, ...second.items].map(({ name }: { name: string }) => name)
    t.same(names, ['third', 'laptop', 'test'])
    t.equal(second.next_cursor, null)
    t.equal((await admin.get(`${url}?cursor=x`)).status, 400)
  })

  t.test('are for administrators and the user, in that user’s own path', async (t) => {
    const { body } = await user.get(url)
    t.equal((await stranger.get(url)).status, 403)
    t.equal((await stranger.post(url, { name: 'x' })).status, 403)
    t.equal((await stranger.delete(`${url}/${body.items[0].id}`)).status, 403)
    const inOwnPath = `/api/users/${stranger.id}/tokens/${body.items[0].id}`
    t.equal((await stranger.delete(inOwnPath)).status, 404, 'a token of somebody else')
    t.equal((await user.get(url.replace(user.id, user.id.toUpperCase()))).status, 200)
  })

  t.test('of a user that is not there are 404', async (t) => {
    const nowhere = `/api/users/${UNKNOWN_ID}/tokens`
    t.equal((await admin.get(nowhere)).status, 404)
    t.equal((await admin.post(nowhere, { name: 'x' })).status, 404)
    t.equal((await admin.delete(`${nowhere}/${UNKNOWN_ID}`)).status, 404)
    t.equal((await admin.get('/api/users/7/tokens')).status, 404)
  })

  t.test('expire at an instant with a time zone', async (t) => {
    const accepted = [
      ['2030-01-02T03:04:05Z', '2030-01-02T03:04:05.000Z'],
      ['2030-01-02T03:04:05.678+23:00', '2030-01-01T04:04:05.678Z'],
      ['2999-12-31T23:59:59-23:59', '3000-01-01T23:58:59.000Z'],
    ]
    for (const [given, kept] of accepted) {
      const { status, body } = await user.post(url, { name: 'x', expires_at: given })
      t.match({ status, kept: body.expires_at }, { status: 201, kept })
      await user.delete(`${url}/${body.id}`)
    }
    const refused = [
      'tomorrow',
      '',
      7,
      '2030-01-02',
      '2030-01-02T03:04:05',
      '2030-02-30T00:00:00Z',
      '2030-01-02T03:04:60Z',
      '0000-01-01T00:00:00Z',
      '9999-12-31T23:59:59Z',
      '+010000-01-01T00:00:00Z',
      '2030-01-02 03:04:05Z',
      '1970-01-01T00:00:00Z',
      new Date(Date.now() - 1).toISOString(),
    ]
    for (const expiresAt of refused) {
      t.equal((await user.post(url, { name: 'x', expires_at: expiresAt })).status, 400, String(expiresAt))
    }
    t.equal((await user.post(url, {})).status, 400)
    t.equal((await user.post(url, { name: 'x', token: 'mine' })).status, 400)
    t.equal((await user.post(url, { name: 'x', parent_id: null })).status, 400)
  })

  t.test('never outlive the token that made them', async (t) => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString()
    const { body: parent } = await user.post(url, { name: 'parent', expires_at: expiresAt })
    t.match(parent.parent_id, /^[0-9a-f-]{36}$/)
    const maker = new Caller(app, parent.token)
    for (const asked of [undefined, null, '2030-01-01T00:00:00Z', expiresAt]) {
      const { body } = await maker.post(url, { name: 'x', ...(asked !== undefined && { expires_at: asked }) })
      t.match(body, { expires_at: expiresAt, parent_id: parent.id }, String(asked))
      const { body: grandchild } = await new Caller(app, body.token).post(url, { name: 'x', expires_at: null })
      t.match(grandchild, { expires_at: expiresAt, parent_id: body.id })
    }
    const earlier = new Date(Date.now() + 30_000).toISOString()
    t.equal((await maker.post(url, { name: 'x', expires_at: earlier })).body.expires_at, earlier)
    t.match((await admin.post(url, { name: 'x' })).body, { expires_at: null, parent_id: null })
  })

  t.test('are revoked with the token that made them, however long the chain', async (t) => {
    const { body: root } = await admin.post(url, { name: 'root' })
    const chain = [root]
    for (let n = 0; n < 5; n++) {
      const { body } = await new Caller(app, chain.at(-1).token).post(url, { name: `${n}` })
      chain.push(body)
    }
    const { body: beside } = await admin.post(url, { name: 'beside' })
    const statuses = async () =>
      Promise.all(
        [...chain, beside].map(async ({ token }) => (await new Caller(app, token).get('/api/users/me')).status),
      )
    t.same(await statuses(), [200, 200, 200, 200, 200, 200, 200])
    t.equal((await user.delete(`${url}/${chain[3].id}`)).status, 204)
    t.same(await statuses(), [200, 200, 200, 401, 401, 401, 200])
    t.equal((await user.delete(`${url}/${chain[4].id}`)).status, 404)
    t.equal((await user.delete(`${url}/${root.id}`)).status, 204)
    t.same(await statuses(), [401, 401, 401, 401, 401, 401, 200])
    const { body } = await admin.get(`${url}?limit=100`)
    t.notOk(body.items.some(({ name }: { name: string }) => name === 'root' || /^\d$/.test(name)))
  })

  t.test('a chain of five thousand is revoked, and so is a user with one', async (t) => {
    const grow = async (userId: string): Promise<string> => {
      const { body: root } = await admin.post(`/api/users/${userId}/tokens`, { name: 'root' })
      await app.db.query({
        name: 'test.chain',
        text: `insert into tokens (id, user_id, name, hash, parent_id)
          select md5($1 || n)::uuid, $2::uuid, 'link', md5($1 || n), case n when 1 then $1::uuid else md5($1 || (n - 1))::uuid end
          from generate_series(1, 5000) n`,
        values: [root.id, userId],
      })
      return root.id
    }
    const left = async (userId: string) =>
      app.db.query({
        name: 'test.left',
        text: `select id from tokens where user_id = $1 and name = 'link'`,
        values: [userId],
      })
    t.equal((await user.delete(`${url}/${await grow(user.id)}`)).status, 204)
    t.same(await left(user.id), [])
    await grow(stranger.id)
    t.equal((await admin.delete(`/api/users/${stranger.id}`)).status, 204)
    t.same(await left(stranger.id), [])
  })
})
