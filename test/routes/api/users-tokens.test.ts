import t from 'tap'
import { Caller, startService } from '../../helpers/app.js'

const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('tokens', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const user = await newUser()
  const stranger = await newUser()
  const url = `/api/users/${user.id}/tokens`

  t.test('show their text once, in the 201, which nobody may keep', async (t) => {
    const issued = await user.post(url, { name: 'laptop' })
    t.equal(issued.status, 201)
    t.equal(issued.headers['location'], `${url}/${issued.body.id}`)
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
    t.equal((await admin.get('/api/users/7/tokens')).status, 400)
  })

  t.test('expire at an instant with a time zone', async (t) => {
    const accepted = [
      ['2030-01-02T03:04:05Z', '2030-01-02T03:04:05.000Z'],
      ['2030-01-02T03:04:05.678+23:00', '2030-01-01T04:04:05.678Z'],
      ['2999-12-31T23:59:59-23:59', '3000-01-01T23:58:59.000Z'],
      ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
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
    ]
    for (const expiresAt of refused) {
      t.equal((await user.post(url, { name: 'x', expires_at: expiresAt })).status, 400, String(expiresAt))
    }
    t.equal((await user.post(url, {})).status, 400)
    t.equal((await user.post(url, { name: 'x', token: 'mine' })).status, 400)
  })
})
