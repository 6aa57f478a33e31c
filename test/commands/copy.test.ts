import t, { type Test } from 'tap'
import { exportedLines } from '../../commands/export/lines.js'
import { kinds } from '../../commands/import/kinds.js'
import type { TestService, UserCaller } from '../helpers/app.js'
import { onBothDatabases } from '../helpers/both-databases.js'
import { design, imported, template } from '../helpers/importing.js'

onBothDatabases(t, suite)

async function suite(t: Test, { app, newUser }: TestService): Promise<void> {
  const [owner, receiver] = [await newUser(), await newUser()]
  const made = async (resource: string, row: object): Promise<string> =>
    (await owner.post(`/api/${resource}`, row)).body.id
  const templates = [
    await made('templates', template('Mug')),
    await made('templates', template('Cap')),
    await made('templates', template('Bag', { external_id: 'bag' })),
  ]
  const first = await made('designs', design('a.png', { template_ids: templates }))
  await made('designs', design('b.png', { template_ids: [templates[1]], external_id: 'b' }))
  await made('mockups', { name: 'm', template_id: templates[0], design_id: first })
  let text = ''
  for await (const chunk of exportedLines(app.db, app.db.kind, { userId: owner.id, kinds })) text += chunk
  const lines: object[] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const between = Array.from({ length: 501 }, (_, n) => design(`${n}.png`))
  const read = lines.length
  const all = async (user: UserCaller, resource: string): Promise<Record<string, unknown>[]> =>
    (await user.get(`/api/${resource}?limit=100`)).body.items

  await t.test('an export becomes a copy at another user, in any order', async (t) => {
    for (const copied of [lines, lines.toReversed()]) {
      const user = await newUser()
      const dry = await imported(app, user.id, copied, { isDryRun: true })
      t.same(dry, { counts: { read, created: read }, troubles: [] })
      t.same(await imported(app, user.id, copied), { counts: { read, created: read }, troubles: [] })
      for (const isDryRun of [true, false])
        t.same(await imported(app, user.id, copied, { isDryRun }), { counts: { read, equal: read }, troubles: [] })
      const names = new Map((await all(user, 'templates')).map(({ id, name }) => [id, name]))
      const designs = new Map((await all(user, 'designs')).map((row) => [row['filename'], row]))
      const named = (ids: unknown): unknown[] => [ids].flat().map((id) => names.get(id))
      t.same(named(designs.get('a.png')?.['template_ids']), ['Mug', 'Cap', 'Bag'])
      t.same(named(designs.get('b.png')?.['template_ids']), ['Cap'])
      const [mockup] = await all(user, 'mockups')
      t.same(named(mockup?.['template_id']), ['Mug'])
      t.equal(mockup?.['design_id'], designs.get('a.png')?.['id'])
    }
  })

  await t.test('also across batches, and where a row was there already', async (t) => {
    await receiver.post('/api/templates', template('Mug'))
    const spread = lines.flatMap((line) => [...between, line])
    for (const isDryRun of [true, false]) {
      const { counts, troubles } = await imported(app, receiver.id, spread, { isDryRun })
      t.match(counts, { created: 501 + read - 1 })
      t.same(troubles, [])
    }
  })

  await t.test('what became of a refused line is no row', async (t) => {
    const user = await newUser()
    const [id] = templates
    const faulty = [{ ...template('Mug', { id }), colour: 'red' }, design('a.png', { template_ids: [id] })]
    for (const isDryRun of [true, false])
      t.same((await imported(app, user.id, faulty, { isDryRun })).counts, { read: 2, refused: 2 })
  })
}
