import fc from 'fast-check'
import t from 'tap'
import { type Cursor, Cursors } from '../../../services/changes/cursors.js'
import { InvalidCursorError } from '../../../services/errors.js'

const [USER, OTHER] = ['01a21670-e507-7978-839d-c4455bfdee19', '01a21670-e507-7978-839d-c4455bfdee18']

const snapshots = fc
  .tuple(fc.maxSafeNat(), fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 300 }))
  .map(([number, distances]) => {
    const xmax = Math.max(number, 200_000)
    const running = distances.map((distance) => xmax - distance).sort((a, b) => a - b)
    return `${running[0] ?? xmax}:${xmax}:${running.join(',')}`
  })
const positions = fc.record({
  transaction: fc.bigInt({ min: 0n, max: 2n ** 53n }),
  rowId: fc.uuid(),
  resource: fc.constantFrom('designs', 'orders_of_ü'),
  version: fc.bigInt({ min: 0n, max: 2n ** 53n }),
})
const cursors: fc.Arbitrary<Cursor> = fc.record(
  { history: fc.uuid(), from: snapshots, window: fc.record({ to: snapshots, after: positions }) },
  { requiredKeys: ['history', 'from'] },
)

t.test('a cursor is read as it was written, by its user alone, and by nobody who changed it', async (t) => {
  const sealer = new Cursors(['a secret'])
  const everywhere = fc.check(
    fc.property(cursors, fc.nat(), (cursor, at) => {
      const text = sealer.seal(USER, cursor)
      const same = JSON.stringify(plain(sealer.open(USER, text))) === JSON.stringify(plain(cursor))
      const place = at % text.length
      const changed = text.slice(0, place) + (text[place] === 'A' ? 'B' : 'A') + text.slice(place + 1)
      return same && isRefused(() => sealer.open(OTHER, text)) && isRefused(() => sealer.open(USER, changed))
    }),
  )
  t.notOk(everywhere.failed, fc.defaultReportMessage(everywhere) ?? '')
})

t.test('a cursor of before TOKEN_SECRET was set stays good, and one of another secret is none', async (t) => {
  const cursor = { history: USER, from: '10:12:10,11' }
  const text = new Cursors(['old']).seal(USER, cursor)
  t.same(new Cursors(['new', 'old']).open(USER, text), cursor)
  t.throws(() => new Cursors(['new']).open(USER, text), { code: 'INVALID_CURSOR', statusCode: 400 })
  for (const odd of ['', 'x', 'now', '\u0000', 'A'.repeat(12_000)]) {
    t.throws(() => new Cursors(['old']).open(USER, odd), { code: 'INVALID_CURSOR' })
  }
})

t.test('hundreds of running transactions fit into a URL', async (t) => {
  const running = Array.from({ length: 1_000 }, (_, n) => 9_000_000_000 + 3 * n)
  const snapshot = `${running[0]}:9000003000:${running.join(',')}`
  const after = { transaction: 9_000_000_000n, rowId: USER, resource: 'designs', version: 1n }
  const text = new Cursors(['s']).seal(USER, { history: USER, from: snapshot, window: { to: snapshot, after } })
  t.ok(text.length < 8_000, `${text.length} characters`)
})

function plain({ history, from, window }: Cursor): unknown {
  const after = window && {
    ...window.after,
    transaction: String(window.after.transaction),
    version: String(window.after.version),
  }
  const { transaction, rowId, resource, version } = after ?? {}
  return [history, from, window?.to, transaction, rowId, resource, version]
}

function isRefused(work: () => unknown): boolean {
  try {
    work()
    return false
  } catch (error) {
    return error instanceof InvalidCursorError
  }
}
