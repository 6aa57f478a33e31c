import t from 'tap'
import { startService } from '../helpers/app.js'
import { imported } from '../helpers/importing.js'

const template = (external: string, more: object = {}) => {
  return {
    kind: 'template',
    name: external,
    title: 'x',
    platform: 'etsy',
    product_type: 'mug',
    external_id: external,
    ...more,
  }
}
const design = (external: string, more: object = {}) => {
  return { kind: 'design', filename: external, file_path: '/', platform: 'etsy', external_id: external, ...more }
}

t.test('rows of all kinds in one file, in any order, that name each other by external_id', async (t) => {
  const { app, newUser } = await startService(t)
  const [user, other] = [await newUser(), await newUser()]
  await other.post('/api/templates', { ...template('foreign'), kind: undefined })
  const lines = [
    { kind: 'mockup', name: 'm', template_external_id: 't2', design_external_id: 'd', external_id: 'm' },
    ...Array.from({ length: 1_200 }, (_, n) => design(`d${n}`, { template_external_ids: ['t1', 't2'] })),
    design('d', { template_external_ids: ['t2', 't1'] }),
    design('lost', { template_external_ids: ['t1', 'foreign'] }),
    { kind: 'mockup', name: 'n', template_external_id: 't1', design_external_id: null },
    template('t1'),
    template('t2'),
  ]
  for (const isDryRun of [true, false]) {
    const { counts, troubles } = await imported(app, user.id, lines, { isDryRun })
    t.same(counts, { read: 1_206, created: 1_205, refused: 1 })
    t.match(troubles, [/^1203 refused: template_ids names .* \(foreign\)/])
  }
  const idOf = async (resource: string, external: string): Promise<string> =>
    (await user.get(`/api/${resource}/by-external-id/${external}`)).body.id
  const [t1, t2, d] = [await idOf('templates', 't1'), await idOf('templates', 't2'), await idOf('designs', 'd')]
  t.match((await user.get('/api/mockups/by-external-id/m')).body, { template_id: t2, design_id: d })
  t.same((await user.get('/api/designs/by-external-id/d')).body.template_ids, [t2, t1])
  t.same((await imported(app, user.id, lines)).counts, { read: 1_206, equal: 1_205, refused: 1 })

  const mixed = await imported(app, user.id, [
    design('d', { template_ids: [t1], template_external_ids: ['t2'] }),
    design('d', { template_ids: [t1, t2], template_external_ids: ['t1'] }),
    design('d', { template_ids: [t2, d], template_external_ids: [null, 't1'] }),
  ])
  t.match(mixed.troubles, [
    /^1 refused: template_ids \(.*\) is not the row that has the external_id \(t2\)/,
    /^2 refused: design: template_external_ids must name as many rows as template_ids/,
  ])
  t.same(mixed.counts, { read: 3, equal: 1, refused: 2 }, 'an id of elsewhere counts by its external_id')

  const nobody = '00000000-0000-0000-0000-000000000000'
  const nowhere = await imported(app, user.id, [
    design('d', { template_ids: [nobody] }),
    design('d', { template_external_ids: [null] }),
  ])
  const reason = new RegExp(`refused: template_ids names what does not exist .*\\(${nobody}\\)`)
  t.match(nowhere.troubles, [reason, reason])
})

t.test('users with their rows, by id or address; what others have is not taken', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const mine = await newUser()
  const { body: own } = await mine.post('/api/designs', { filename: 'a', file_path: '/', platform: 'etsy' })
  const [known, kept] = ['01890a5d-ac96-774b-bcce-b302099a8057', '01890a5d-ac96-774b-bcce-b302099a8058']
  const lines = [
    design('x', { user_email: 'NEW@example.com', id: kept, version: 7, created_at: '2020-01-02T03:04:05.678901Z' }),
    { kind: 'user', id: known, email: 'new@example.com', shop_name: 'New' },
    design('y', { user_id: known }),
    design('z', { user_id: kept }),
    design('theft', { user_id: known, id: own.id }),
    { kind: 'user', email: 'broken', role: 'king' },
  ]
  const { counts, troubles } = await imported(app, undefined, lines, { keeps: true })
  t.same(counts, { read: 6, created: 3, refused: 3 })
  t.match(troubles, [
    /^5 refused: a design of another user has its id/,
    /^6 refused: user: shop_name is missing; email must be a valid email; role must be one of/,
    /^4 refused: there is no user/,
  ])
  t.match((await admin.get(`/api/users/${known}`)).body, { email: 'new@example.com', shop_name: 'New' })
  const { body: issued } = await admin.post(`/api/users/${known}/tokens`, { name: 't' })
  const headers = { authorization: `Bearer ${issued.token}` }
  const { body: items } = await app
    .inject({ url: '/api/designs', headers })
    .then((answer) => ({ body: answer.json().items }))
  t.match(
    items.toSorted((a: { id: string }, b: { id: string }) => (a.id === kept ? -1 : b.id === kept ? 1 : 0)),
    [{ id: kept, version: 7, created_at: '2020-01-02T03:04:05.678Z', filename: 'x' }, { filename: 'y' }],
  )
  t.match((await mine.get(`/api/designs/${own.id}`)).body, { filename: 'a', version: 1 })

  const changed = [{ kind: 'user', email: 'New@example.com', shop_name: 'Newer' }]
  t.match((await imported(app, undefined, changed)).troubles, [
    /^1 different: .*shop_name is "New" there and "Newer" here/,
  ])
  t.same((await imported(app, undefined, changed, { existing: 'update' })).counts, { read: 1, updated: 1 })
  t.match((await imported(app, mine.id, changed)).troubles, [/^1 refused: users are imported with --all/])
})

t.test('a row is of the user whose id it names, whatever rows before it were found by', async (t) => {
  const { app, newUser } = await startService(t)
  const [one, other] = [await newUser(), await newUser()]
  const address = (await other.get('/api/users/me')).body.email
  const [planned, elsewhere] = ['01890a5d-ac96-774b-bcce-b302099a8059', '01890a5d-ac96-774b-bcce-b302099a8060']
  const lines = [
    design('by address', { user_email: address }),
    design('by both', { user_id: one.id, user_email: address }),
    design('by address again', { user_id: elsewhere, user_email: address }),
    { kind: 'user', id: planned, email: 'planned@example.com', shop_name: 'P' },
    design('of the new one', { user_id: planned, user_email: address }),
    design('of the old one', { user_id: one.id, user_email: 'planned@example.com' }),
    design('of the new address', { user_email: 'Planned@example.com' }),
  ]
  for (const isDryRun of [true, false]) {
    const { counts } = await imported(app, undefined, lines, { isDryRun, keeps: true })
    t.same(counts, { read: 7, created: 7 })
  }
  const text = 'select user_id, filename from designs'
  const rows = await app.db.query<{ user_id: string; filename: string }>({ name: 'test.rows', text })
  const owners = Object.fromEntries(rows.map(({ user_id: owner, filename }) => [filename, owner]))
  t.same(owners, {
    'by address': other.id,
    'by both': one.id,
    'by address again': other.id,
    'of the new one': planned,
    'of the old one': one.id,
    'of the new address': planned,
  })
})
