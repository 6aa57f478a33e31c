import t from 'tap'
import { startService } from '../../../helpers/app.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'A mug', platform: 'etsy', product_type: 'mug' }

t.test('what changed since: each row once, as it is now, and only what is the caller’s', async (t) => {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const [user, other] = [await newUser(), await newUser()]
  const { body: before } = await user.post('/api/designs', { ...DESIGN, external_id: 'before' })
  const start = await user.get('/api/changes')
  t.match(start, { status: 200, body: { changes: [], more: false }, headers: { 'cache-control': 'no-store' } })
  const since = start.body.next_cursor
  t.same((await user.get(`/api/changes?since=${since}`)).body.changes, [])

  const { body: design } = await user.post('/api/designs', DESIGN)
  await user.patch(`/api/designs/${design.id}`, { description: 'red' })
  const { body: last } = await user.patch(`/api/designs/${design.id}`, { description: 'grey' })
  await user.patch(`/api/designs/${design.id}`, { description: 'grey' })
  const { body: template } = await user.post('/api/templates', { ...TEMPLATE, external_id: 'm' })
  await user.delete(`/api/designs/${before.id}`)
  await other.post('/api/designs', DESIGN)

  const page = await user.get(`/api/changes?since=${since}`)
  t.same(page.body.changes, [
    { resource: 'designs', id: design.id, kind: 'changed', row: last },
    { resource: 'templates', id: template.id, external_id: 'm', kind: 'changed', row: template },
    { resource: 'designs', id: before.id, external_id: 'before', kind: 'deleted' },
  ])
  t.equal(page.body.more, false)
  t.same((await user.get(`/api/changes?since=${page.body.next_cursor}`)).body.changes, [])

  await t.test('page by page', async (t) => {
    const ids: string[] = []
    let cursor = since
    for (let more = true; more;) {
      const { body } = await user.get(`/api/changes?since=${cursor}&limit=1`)
      t.equal(body.changes.length, 1)
      ids.push(body.changes[0].id)
      cursor = body.next_cursor
      more = body.more
    }
    t.same(ids, [design.id, template.id, before.id])
    t.same((await user.get(`/api/changes?since=${cursor}`)).body.changes, [])
  })

  await t.test('what changes while a window is read comes in the next one, once', async (t) => {
    const { body: first } = await user.get(`/api/changes?since=${since}&limit=1`)
    const { body: changed } = await user.patch(`/api/templates/${template.id}`, { title: 'Another' })
    const { body: second } = await user.get(`/api/changes?since=${first.next_cursor}`)
    t.match(second, { more: false, changes: [{ id: before.id }] }, 'the template has changed again')
    t.equal(second.changes.length, 1)
    const { body: third } = await user.get(`/api/changes?since=${second.next_cursor}`)
    t.same(third.changes, [{ resource: 'templates', id: template.id, external_id: 'm', kind: 'changed', row: changed }])
  })

  await t.test('odd input', async (t) => {
    for (const url of ['since=', 'since=x', `since=${since.slice(1)}`, 'limit=0', 'limit=1001', 'since=now&x=1']) {
      t.equal((await user.get(`/api/changes?${url}`)).status, 400, url)
    }
    t.match(await other.get(`/api/changes?since=${since}`), { status: 400, body: { code: 'INVALID_CURSOR' } })
    t.equal((await user.get('/api/changes?since=now')).status, 200)
    t.match(
      (await user.send({ method: 'HEAD', url: '/api/changes', headers: { accept: 'text/event-stream' } })).status,
      200,
    )
    t.equal((await user.post('/api/changes', {})).status, 405)
    for (const accept of ['text/event-stream;charset=utf-8;q=0', 'application/json, text/event-stream;q=0.5'])
      t.match(await user.get('/api/changes', { accept }), { status: 200, body: { more: false } }, accept)
  })

  await t.test('a user who goes leaves nothing', async (t) => {
    await app.db.query({ name: 'test', text: `delete from users where id = '${user.id}'` })
    t.same(await app.db.query({ name: 'test', text: `select from changes where user_id = '${user.id}'` }), [])
  })
})

t.test(
  'a user who is made again with the same id has to read all: the rows of before went without a word',
  async (t) => {
    const { app, admin, anonymous, newUser } = await startService(t, { isEmbedded: true })
    const user = await newUser()
    const sql = (text: string) => app.db.query({ name: 'test', text })
    for (let n = 0; n < 2; n += 1) await user.post('/api/designs', DESIGN)
    const { body: before } = await user.get('/api/changes')
    await admin.delete(`/api/users/${user.id}`)
    await sql(`insert into users (id, email, shop_name) values ('${user.id}', 'again@example.com', 'A shop')`)
    const { body: issued } = await admin.post(`/api/users/${user.id}/tokens`, { name: 'test' })
    const headers = { authorization: `Bearer ${issued.token}` }
    const since = (cursor: string) => anonymous.get(`/api/changes?since=${cursor}`, headers)
    const { body: anew } = await anonymous.get('/api/changes', headers)
    t.match(await since(before.next_cursor), { status: 410, body: { code: 'CURSOR_EXPIRED' } })
    const { body: design } = await anonymous.post('/api/designs', DESIGN, headers)
    t.match(await since(before.next_cursor), { status: 410 })
    t.match((await since(anew.next_cursor)).body.changes, [{ id: design.id }], 'a cursor of the new one')

    await t.test('a database of an earlier release keeps its cursors', async (t) => {
      await sql('drop trigger changes_made on users')
      const dataDir = app.config.dataDir
      await app.close()
      const { anonymous: later, app: laterApp } = await startService(t, { env: { DATA_DIR: dataDir } })
      const { status, body } = await later.get(`/api/changes?since=${anew.next_cursor}`, headers)
      t.match({ status, body }, { status: 200, body: { changes: [{ id: design.id }] } })
      t.match(
        await laterApp.db.query({
          name: 'test',
          text: `select tgenabled::text from pg_trigger where tgname = 'changes_made'`,
        }),
        [{ tgenabled: 'A' }],
      )
    })
  },
)

t.test('who may not', async (t) => {
  const { admin, anonymous } = await startService(t, { isEmbedded: true })
  t.equal((await anonymous.get('/api/changes')).status, 401)
  t.equal((await admin.get('/api/changes')).status, 403)
})

t.test('switched off it is not there, and on again it begins anew', async (t) => {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const user = await newUser()
  const { body } = await user.get('/api/changes')
  const dataDir = app.config.dataDir
  await app.close()
  const headers = { authorization: `Bearer ${user.token}` }
  const off = await startService(t, { env: { CHANGES: 'off', DATA_DIR: dataDir } })
  t.match(await off.anonymous.get('/api/changes', headers), { status: 404, body: { code: 'CHANGES_OFF' } })
  await off.anonymous.post('/api/designs', DESIGN, headers)
  t.same(await off.app.db.query({ name: 'test', text: 'select from changes' }), [])
  await off.app.close()
  const on = await startService(t, { env: { DATA_DIR: dataDir } })
  t.match(await on.anonymous.get(`/api/changes?since=${body.next_cursor}`, headers), {
    status: 410,
    body: { code: 'CURSOR_EXPIRED' },
  })
  const { body: anew } = await on.anonymous.get('/api/changes', headers)
  await on.anonymous.post('/api/designs', DESIGN, headers)
  t.equal((await on.anonymous.get(`/api/changes?since=${anew.next_cursor}`, headers)).body.changes.length, 1)
})

t.test('a restart is no reason to read all again', async (t) => {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const user = await newUser()
  const { body } = await user.get('/api/changes')
  await user.post('/api/designs', DESIGN)
  const dataDir = app.config.dataDir
  await app.close()
  const { anonymous } = await startService(t, { env: { DATA_DIR: dataDir } })
  const headers = { authorization: `Bearer ${user.token}` }
  const { body: page } = await anonymous.get(`/api/changes?since=${body.next_cursor}`, headers)
  t.equal(page.changes.length, 1)
  t.same((await anonymous.get(`/api/changes?since=${page.next_cursor}`, headers)).body.changes, [])
})
