import t, { type Test } from 'tap'
import type { TestService } from '../helpers/app.js'
import { onBothDatabases } from '../helpers/both-databases.js'
import { design, imported, type ImportSettings, template } from '../helpers/importing.js'

const [ID, OTHER_ID] = ['01a2069f-4382-76fe-94e2-50d41d9cb575', '01a2069f-4382-76fe-94e2-50d41d9cb576']
const THIRD_ID = '01a2069f-4382-76fe-94e2-50d41d9cb577'
const [LONG_AGO, FAR_FUTURE] = ['2001-01-01T00:00:00Z', '2999-01-01T00:00:00Z'].map((time) => {
  return { created_at: time, updated_at: time }
})

/** More than a batch. */
const between = Array.from({ length: 501 }, (_, n) => design(`${n}.png`))

interface Case extends ImportSettings {
  readonly before?: readonly object[]
  readonly lines: readonly object[]
  /** Without the lines between. */
  readonly counts: object
}

const cases: Readonly<Record<string, Case>> = {
  'rows of one name and another external_id are others': {
    lines: [template('Mug', { external_id: 'sku-A' }), template('Mug', { external_id: 'sku-B' })],
    counts: { created: 2 },
  },
  'equal is what holds all that the line names': {
    lines: [
      design('a.png', { external_id: '1', description: 'x', is_active: true }),
      design('a.png', { external_id: '1' }),
      design('a.png', { external_id: '1', tags: null, is_active: null, is_digital: null }),
      design('a.png', { external_id: '1', tags: [], description: 'x' }),
      design('a.png', { external_id: '1', description: null }),
      design('a.png', { external_id: '1', is_active: false }),
    ],
    counts: { created: 1, equal: 3, different: 2 },
  },
  'a line with an external_id is the row of its name that has none': {
    lines: [
      design('a.png'),
      design('a.png', { external_id: '1' }),
      design('b.png', { external_id: '2' }),
      design('b.png'),
    ],
    counts: { created: 2, equal: 1, different: 1 },
  },
  'a line that may be several earlier ones': {
    lines: [
      design('a.png', { external_id: '1', tags: ['x'] }),
      design('a.png', { external_id: '2' }),
      design('a.png', { tags: ['x'] }),
      design('a.png', { tags: ['y'] }),
      design('a.png'),
    ],
    counts: { created: 2, equal: 2, refused: 1 },
  },
  'a row that is there is updated by one line': {
    before: [design('a.png'), design('b.png', { external_id: '2' })],
    existing: 'update',
    lines: [
      design('a.png', { description: 'one' }),
      design('a.png', { description: 'two' }),
      design('a.png', { tags: [] }),
      design('a.png', { tags: ['x'] }),
      design('renamed.png', { external_id: '2' }),
      design('b.png'),
      design('renamed.png'),
    ],
    counts: { updated: 2, equal: 3, different: 2 },
  },
  'a row gets its external_id': {
    before: [design('a.png')],
    existing: 'update',
    lines: [design('a.png', { external_id: '1' }), design('a.png', { external_id: '2' }), design('a.png')],
    counts: { created: 1, updated: 1, equal: 1 },
  },
  'rows that are there are not looked at': {
    before: [design('a.png')],
    existing: 'keep',
    lines: [design('a.png', { tags: ['x'] }), design('b.png'), design('b.png', { tags: ['x'] })],
    counts: { created: 1, there: 2 },
  },
  'references to rows of earlier lines': {
    lines: [
      template('Mug', { external_id: 'mug' }),
      template('Cap', { external_id: 'cap' }),
      design('a.png', { template_external_ids: ['mug', 'cap'] }),
      design('a.png', { template_external_ids: ['mug', 'cap'] }),
      design('a.png', { template_external_ids: ['mug'] }),
      design('b.png', { template_external_ids: ['mug', 'none'] }),
      { name: 'm', template_external_id: 'mug', images: [{ filename: 'a', file_path: '/a' }] },
      { name: 'm', template_external_id: 'mug', images: [{ file_path: '/a', filename: 'a' }] },
      { name: 'm', template_external_id: 'cap' },
    ],
    counts: { created: 5, equal: 2, different: 1, refused: 1 },
  },
  'rows that keep their ids': {
    keeps: true,
    lines: [
      design('a.png', { id: ID }),
      design('a.png', { id: OTHER_ID, external_id: '1' }),
      design('b.png', { id: ID, tags: [] }),
      design('b.png', { id: ID.replace(/5$/, '7'), external_id: '1' }),
      design('a.png', { tags: ['x'] }),
    ],
    counts: { created: 3, different: 1, refused: 1 },
  },
  'rows that keep their ids and dates are not overwritten either': {
    keeps: true,
    existing: 'update',
    before: [design('there.png', { id: THIRD_ID, ...FAR_FUTURE })],
    lines: [
      design('a.png', { id: ID, ...LONG_AGO, description: 'one' }),
      design('a.png', { id: ID, ...LONG_AGO, description: 'two' }),
      design('there.png', { id: THIRD_ID, description: 'one' }),
      design('there.png', { id: THIRD_ID, description: 'two' }),
    ],
    counts: { created: 1, updated: 1, different: 2 },
  },
}

const user = (email: string, more: object = {}) => ({ kind: 'user', email, shop_name: 'A', ...more })

const usersCases: Readonly<Record<string, Case>> = {
  'of several lines of one user the first one is written': {
    before: [user('there@example.com')],
    existing: 'update',
    lines: [
      user('new@example.com', { shop_name: 'one' }),
      user('new@example.com', { shop_name: 'two' }),
      user('new@example.com', { shop_name: 'one', role: 'member', is_active: true }),
      user('new@example.com', { shop_name: 'one', role: 'admin' }),
      user('there@example.com', { shop_name: 'one' }),
      user('There@example.com', { shop_name: 'one' }),
      user('there@example.com', { shop_name: 'one' }),
      user('there@example.com', { shop_name: 'two', is_active: true }),
    ],
    counts: { created: 1, updated: 1, equal: 2, different: 4 },
  },
  'a user who differs': {
    before: [user('there@example.com')],
    lines: [user('there@example.com', { shop_name: 'one' }), user('there@example.com', { shop_name: 'one' })],
    counts: { different: 2 },
  },
}

onBothDatabases(t, suite)

/** A dry run says what the import then does, line by line, also across batches. */
async function suite(t: Test, { app, newUser }: TestService): Promise<void> {
  for (const [name, { before = [], lines, counts, ...settings }] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      for (const isSpread of [false, true]) {
        const user = await newUser()
        await imported(app, user.id, before, settings)
        const all = isSpread ? lines.flatMap((line, n) => (n === 0 ? [line] : [...between, line])) : lines
        const dry = await imported(app, user.id, all, { ...settings, isDryRun: true })
        const real = await imported(app, user.id, all, settings)
        t.same(dry.counts, real.counts, isSpread ? 'across batches' : 'in one batch')
        if (!isSpread) t.same(real.counts, { read: lines.length, ...counts })
        t.same(dry.troubles.map(outcomeIn), real.troubles.map(outcomeIn))
        t.same(dry.troubles.map(columnsIn), real.troubles.map(columnsIn))
        await app.db.query({ name: 'test.clear', text: 'delete from designs' })
      }
    })
  }

  for (const [name, { before = [], lines, counts, ...settings }] of Object.entries(usersCases)) {
    await t.test(name, async (t) => {
      for (const keeps of [false, true]) {
        const all = { ...settings, keeps }
        await imported(app, undefined, before, all)
        const dry = await imported(app, undefined, lines, { ...all, isDryRun: true })
        const real = await imported(app, undefined, lines, all)
        t.same(real.counts, { read: lines.length, ...counts })
        t.same(dry.counts, real.counts)
        t.same(dry.troubles.map(outcomeIn), real.troubles.map(outcomeIn))
        t.same(dry.troubles.map(columnsIn), real.troubles.map(columnsIn))
        await app.db.query({ name: 'test.clear', text: `delete from users where email ~ '^(new|there)@'` })
      }
    })
  }

  await t.test('users, and an id that two users have', async (t) => {
    const lines = [
      { kind: 'user', email: 'a@example.com', shop_name: 'A', id: ID },
      { kind: 'user', email: 'A@example.com', shop_name: 'A', id: ID },
      { kind: 'user', email: 'b@example.com', shop_name: 'B', id: OTHER_ID },
      { kind: 'user', email: 'b@example.com', shop_name: 'C', id: ID.replace(/5$/, '7') },
      design('a.png', { id: ID, user_id: ID }),
      design('a.png', { id: ID, user_id: OTHER_ID }),
    ]
    const dry = await imported(app, undefined, lines, { keeps: true, isDryRun: true })
    const real = await imported(app, undefined, lines, { keeps: true })
    t.same(dry.counts, real.counts)
    t.same(dry.troubles.map(outcomeIn), real.troubles.map(outcomeIn))
    t.same(dry.troubles.map(columnsIn), real.troubles.map(columnsIn))
  })

  await t.test('what differs from an earlier line is named, without a value that would not be there', async (t) => {
    const user = await newUser()
    await imported(app, user.id, [design('a.png', { description: 'before', tags: ['x'] })])
    const lines = [
      design('a.png', { description: 'one' }),
      design('a.png', { description: 'before', tags: ['y'] }),
      design('b.png', { tags: ['x'] }),
      design('b.png', { tags: ['y'], is_active: false }),
    ]
    const { troubles } = await imported(app, user.id, lines, { existing: 'update', isDryRun: true })
    t.match(troubles, [
      /^2 different: description differs; tags is \["x"\] there and \["y"\] here; it was written since/,
      /^4 different: tags differs; is_active differs; it was written since/,
    ])
  })
}

/** The line and what becomes of it, without the values that differ. */
function outcomeIn(trouble: string): string {
  return trouble.replace(/:.*$/s, '')
}

/** The columns that a line differs in. */
function columnsIn(trouble: string): readonly string[] {
  return [...trouble.matchAll(/(?<=: |; )(\w+) (?:is .*? there and|differs)/gs)].map(([, column = '']) => column).sort()
}
