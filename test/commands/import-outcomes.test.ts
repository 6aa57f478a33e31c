import t, { type Test } from 'tap'
import type { TestService, UserCaller } from '../helpers/app.js'
import { onBothDatabases } from '../helpers/both-databases.js'
import { UNKNOWN_ID } from '../../services/resource/import/row.js'
import { design, imported, template } from '../helpers/importing.js'

onBothDatabases(t, suite)

async function suite(t: Test, { app, newUser }: TestService): Promise<void> {
  const listed = async (user: UserCaller, resource = 'designs'): Promise<Record<string, unknown>[]> =>
    (await user.get(`/api/${resource}?limit=100`)).body.items

  await t.test('rows that differ in path or platform are several, and none is lost', async (t) => {
    const user = await newUser()
    const lines = [
      design('fox.png'),
      design('fox.png', { file_path: '/b' }),
      design('fox.png', { platform: 'shopify' }),
      template('mug'),
      template('mug', { platform: 'shopify' }),
      design('fox.png'),
    ]
    t.match(await imported(app, user.id, lines), { counts: { read: 6, created: 5, equal: 1 }, troubles: [] })
    t.equal((await listed(user)).length, 3)
    t.match(await imported(app, user.id, lines), { counts: { equal: 6 } })
  })

  await t.test('what differs is shown with both values, and written by --update alone', async (t) => {
    const user = await newUser()
    const before = [
      design('a.png', { description: 'old', tags: ['x'], metadata: { b: 1, a: 2 } }),
      template('mug', { price: { cents: 1999, currency: 'EUR' } }),
    ]
    await imported(app, user.id, before)
    const after = [design('a.png', { description: 'new', tags: [] }), template('mug', { price: null })]
    const shown = await imported(app, user.id, after)
    t.same(shown.counts, { read: 2, different: 2 })
    t.same(shown.troubles, [
      '1 different: description is "old" there and "new" here; tags is ["x"] there and [] here',
      '2 different: price_cents is 1999 there and null here; currency is "EUR" there and null here',
    ])
    t.match(await listed(user), [{ description: 'old', version: 1 }])

    const dry = await imported(app, user.id, after, { existing: 'update', isDryRun: true })
    t.same(dry.counts, { read: 2, updated: 2 })
    t.match(await listed(user), [{ description: 'old', version: 1 }])

    t.same((await imported(app, user.id, after, { existing: 'update' })).counts, { read: 2, updated: 2 })
    t.match(await listed(user), [{ description: 'new', tags: [], metadata: { b: 1, a: 2 }, version: 2 }])
    t.match(await listed(user, 'templates'), [{ price: null, version: 2 }])
    t.same((await imported(app, user.id, after, { existing: 'update' })).counts, { read: 2, equal: 2 })
    t.match(await listed(user), [{ version: 2 }], 'what is equal is not written')
  })

  await t.test('a row whose own export could not be imported is refused', async (t) => {
    const user = await newUser()
    const masks = Array.from({ length: 50 }, () => Array.from({ length: 1_000 }, () => [1e6, 1e6]))
    const mockup = (images: number) => ({
      name: 'm',
      template_id: UNKNOWN_ID,
      images: Array.from({ length: images }, () => ({ filename: 'f', file_path: '/f', masks })),
    })
    t.match(await imported(app, user.id, [mockup(3), mockup(4)]), {
      counts: { read: 2, refused: 2 },
      troubles: [/longer than 3145728 bytes without spaces/, /template_id/],
    })
  })

  await t.test('null for a list or a flag is its default, as in a PATCH', async (t) => {
    const user = await newUser()
    const held = { tags: ['x'], is_active: false, metadata: { a: 1 } }
    await imported(app, user.id, [design('a.png', { ...held, description: 'kept' })])
    const nulls = [design('a.png', { tags: null, is_active: null, metadata: null })]
    const shown = await imported(app, user.id, nulls)
    t.same(shown.counts, { read: 1, different: 1 })
    t.match(shown.troubles, [/tags is \["x"\] there and \[\] here/])
    t.match(shown.troubles, [/is_active is false there and true here/])
    for (const isDryRun of [true, false])
      t.same((await imported(app, user.id, nulls, { existing: 'update', isDryRun })).counts, { read: 1, updated: 1 })
    const [row] = await listed(user)
    t.match(row, { is_active: true, description: 'kept', version: 2 })
    t.strictSame([row?.['tags'], row?.['metadata']], [[], null])
    t.same((await imported(app, user.id, nulls, { existing: 'update' })).counts, { read: 1, equal: 1 })
    const made = [design('b.png', { tags: null, is_active: null, metadata: null, template_ids: null })]
    t.same((await imported(app, user.id, made)).counts, { read: 1, created: 1 })
    t.same((await imported(app, user.id, made)).counts, { read: 1, equal: 1 })
  })

  await t.test('--only-new leaves alone what is there, however it differs', async (t) => {
    const user = await newUser()
    await imported(app, user.id, [design('a.png')])
    const lines = [design('a.png', { description: 'new' }), design('b.png')]
    t.same((await imported(app, user.id, lines, { existing: 'keep' })).counts, { read: 2, created: 1, there: 1 })
    t.match(await listed(user), [{ filename: 'b.png' }, { filename: 'a.png', description: null }])
  })

  await t.test('external_id is the key where there is one, also of a row that is called otherwise now', async (t) => {
    const user = await newUser()
    await imported(app, user.id, [design('a.png', { external_id: '1' }), design('plain.png')])
    const lines = [
      design('renamed.png', { external_id: '1' }),
      design('a.png', { external_id: '2' }),
      design('plain.png', { external_id: '3' }),
    ]
    const first = await imported(app, user.id, lines)
    t.same(first.counts, { read: 3, created: 1, different: 2 })
    t.match(first.troubles, [
      '1 different: filename is "a.png" there and "renamed.png" here',
      '3 different: external_id is null there and "3" here',
    ])
    t.same((await imported(app, user.id, lines, { existing: 'update' })).counts, { read: 3, updated: 2, equal: 1 })
    t.equal((await user.get('/api/designs/by-external-id/3')).body.filename, 'plain.png')
    t.equal((await listed(user)).length, 3)
  })

  await t.test(
    'of lines with one key that differ no later one overwrites an earlier one, also in another batch',
    async (t) => {
      const user = await newUser()
      const between = Array.from({ length: 600 }, (_, n) => design(`${n}.png`))
      const lines = [
        design('a.png', { description: 'one' }),
        design('a.png', { description: 'two' }),
        ...between,
        design('a.png', { description: 'three' }),
        design('a.png', { description: 'one' }),
      ]
      for (const isDryRun of [true, false]) {
        const { counts, troubles } = await imported(app, user.id, lines, { existing: 'update', isDryRun })
        t.same(counts, { read: 604, created: 601, different: 2, equal: 1 })
        t.match(troubles, [
          /^2 different: .*since the import began, perhaps by an earlier line/,
          /^603 different: .*since the import began/,
        ])
      }
      const { body } = await user.get('/api/designs?limit=100')
      t.ok(body.next_cursor)
    },
  )

  await t.test('several rows with one natural key are told apart by external_id, or the line is refused', async (t) => {
    const user = await newUser()
    for (const description of ['one', 'two']) await user.post('/api/designs', design('a.png', { description }))
    const lines = [design('a.png', { description: 'two' }), design('a.png', { description: 'three' })]
    const { counts, troubles } = await imported(app, user.id, lines, { existing: 'update' })
    t.same(counts, { read: 2, equal: 1, refused: 1 })
    t.match(troubles, [/^2 refused: several rows have its key.*external_id/])
  })

  await t.test('of however many rows with one natural key the equal one is found', async (t) => {
    const user = await newUser()
    const named = Array.from({ length: 10 }, (_, n) => design('a.png', { external_id: `${n}` }))
    const nameless = Array.from({ length: 8 }, (_, n) => design('a.png', { external_id: null, tags: [`${n}`] }))
    for (const row of [...named, ...nameless]) await user.post('/api/designs', row)
    const lines = [...nameless, ...named, design('a.png', { tags: ['9'] })]
    for (const isDryRun of [true, false]) {
      const { counts, troubles } = await imported(app, user.id, lines, { isDryRun })
      t.same(counts, { read: 19, equal: 18, refused: 1 })
      t.match(troubles, [
        /^19 refused: several rows have its key, none of them is equal \(([0-9a-f-]{36}, ){9}[0-9a-f-]{36}\)/,
      ])
    }
  })

  await t.test('all that is wrong with a line is said', async (t) => {
    const [user, other] = [await newUser(), await newUser()]
    const { body: foreign } = await other.post('/api/templates', template('foreign'))
    const { troubles } = await imported(app, user.id, [
      { filename: 'a.png', platform: 5, tags: ['', 1], colour: 'red', size: 1, price: 'x'.repeat(10) },
      { name: 'm', template_id: foreign.id, design_id: foreign.id },
      { kind: 'nothing' },
    ])
    t.match(troubles, [
      /^1 refused: design: file_path is missing; colour is not .*; size .*; price .*; tags\.1 must be string; platform must be string/,
      /^3 refused: not recognised/,
      /^2 refused: template_id names .*; design_id names /,
    ])
  })

  await t.test('a batch in which the database refuses one row is in without it', async (t) => {
    const user = await newUser()
    await app.db.query({
      name: 'test',
      text: `alter table designs add constraint no_fox check (filename <> 'fox') not valid`,
    })
    const lines = [...Array.from({ length: 20 }, (_, n) => design(`${n}.png`)), design('fox')]
    const { counts, troubles } = await imported(app, user.id, lines)
    t.same(counts, { read: 21, created: 20, refused: 1 })
    t.match(troubles, [/^21 refused: the database refuses it: .*no_fox/])
    await app.db.query({ name: 'test', text: 'alter table designs drop constraint no_fox' })
  })

  await t.test('a row that was cached is the updated one at once', async (t) => {
    const user = await newUser()
    await imported(app, user.id, [design('a.png')])
    const [{ id }] = (await listed(user)) as [{ id: string }]
    t.equal((await user.get(`/api/designs/${id}`)).body.description, null)
    await imported(app, user.id, [design('a.png', { description: 'new' })], { existing: 'update' })
    t.equal((await user.get(`/api/designs/${id}`)).body.description, 'new')
    t.match(await listed(user), [{ description: 'new' }])
  })
}
