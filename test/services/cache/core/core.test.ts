import fc from 'fast-check'
import t from 'tap'
import { Heard } from '../../../../services/cache/core/heard.js'
import { Hints } from '../../../../services/cache/core/hints.js'
import { Knowledge } from '../../../../services/cache/core/knowledge.js'
import { covers, parseSnapshot, sees, type Snapshot, transactionId } from '../../../../services/cache/core/snapshot.js'

/** The snapshot of a server where these transactions, of 1 to `last`, have ended. */
function snapshotOf(ended: readonly number[]): Snapshot {
  const xmax = Math.max(0, ...ended) + 1
  const xip = Array.from({ length: xmax - 1 }, (_, n) => n + 1).filter((id) => !ended.includes(id))
  const snapshot = parseSnapshot(`${xip[0] ?? xmax}:${xmax}:${xip.join(',')}`)
  if (snapshot === undefined) throw new Error('no snapshot')
  return snapshot
}

t.test('snapshots of one history are totally ordered by covers, in the order of time', async (t) => {
  const order = fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8])
  fc.assert(
    fc.property(order, (ended) => {
      const history = ended.map((_, n) => snapshotOf(ended.slice(0, n + 1)))
      history.forEach((later, n) => {
        history.forEach((earlier, m) => t.equal(covers(later, earlier), n >= m || later.text === earlier.text))
        ended.forEach((id, m) => t.equal(sees(later, id), m <= n))
      })
    }),
    { numRuns: 50 },
  )
})

t.test('texts that are no snapshots are refused', async (t) => {
  for (const text of [
    '',
    ':',
    '::',
    '1:',
    '1:2',
    '1:0:',
    '1:x:',
    '1:3:3',
    '1:3:4',
    '1:3:0',
    '1:3:-1',
    '1:3:1,',
    '1:9e9:',
    '1: 3:',
  ]) {
    t.equal(parseSnapshot(text), undefined, text)
  }
  t.match(parseSnapshot('3:9:3,5'), { xmax: 9, xip: [3, 5] })
  t.equal(transactionId('9007199254740992'), -1)
  t.equal(transactionId('9007199254740991'), 9007199254740991)
})

t.test('one change of a tag must be seen; a later tail replaces an earlier one', async (t) => {
  const heard = new Heard({ slots: 1_024, seed: 7 })
  const a = heard.slotsOf(['a'])
  t.ok(heard.isSatisfied(snapshotOf([]), a), 'nothing heard')
  heard.take([{ transaction: 1, tags: ['a'] }], snapshotOf([1]))
  t.notOk(heard.isSatisfied(snapshotOf([]), a))
  t.ok(heard.isSatisfied(snapshotOf([1]), a))
  t.ok(heard.isSatisfied(snapshotOf([]), heard.slotsOf(['b'])))
  heard.take([{ transaction: 2, tags: ['a'] }], snapshotOf([1, 2, 3]))
  t.notOk(heard.isSatisfied(snapshotOf([1]), a))
  t.ok(heard.isSatisfied(snapshotOf([1, 2]), a))
  heard.forget()
  t.ok(heard.isSatisfied(snapshotOf([]), a))
})

t.test('of several in one tail, its snapshot must be covered: no single id would do', async (t) => {
  const heard = new Heard({ slots: 1_024, seed: 7 })
  const a = heard.slotsOf(['a'])
  heard.take(
    [
      { transaction: 1, tags: ['a'] },
      { transaction: 2, tags: ['a'] },
    ],
    snapshotOf([1, 2]),
  )
  t.notOk(heard.isSatisfied(snapshotOf([2]), a), 'sees the higher one only')
  t.notOk(heard.isSatisfied(snapshotOf([1]), a))
  t.ok(heard.isSatisfied(snapshotOf([1, 2]), a))
  t.equal(heard.newest(a), 3)
})

t.test('everything is a tag of its own, which all depend on', async (t) => {
  const heard = new Heard({ slots: 1_024, seed: 7 })
  heard.take([{ transaction: 1, tags: ['*'] }], snapshotOf([1]))
  t.notOk(heard.isSatisfied(snapshotOf([]), []))
  t.ok(heard.isSatisfied(snapshotOf([1]), []))
  t.equal(heard.newest([]), 1)
  heard.take(
    [
      { transaction: 2, tags: ['*'] },
      { transaction: 3, tags: ['*'] },
    ],
    snapshotOf([1, 2, 3]),
  )
  t.notOk(heard.isSatisfied(snapshotOf([1, 3]), []))
})

t.test(
  'tags that share a slot cost a needless miss at most, whatever else is heard: never an old answer',
  async (t) => {
    const tail = fc.array(
      fc.record({ transaction: fc.integer({ min: 1, max: 12 }), tag: fc.constantFrom('a', 'b', 'c', 'd') }),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(fc.array(tail, { maxLength: 6 }), fc.integer(), (tails, seed) => {
        const heard = new Heard({ slots: 4, seed })
        const ended: number[] = []
        const changes: { transaction: number; tag: string }[] = []
        const snapshots = [snapshotOf([])]
        for (const one of tails) {
          const fresh = one.filter(
            ({ transaction }, n) =>
              !ended.includes(transaction) && one.findIndex((other) => other.transaction === transaction) === n,
          )
          for (const { transaction } of fresh) {
            ended.push(transaction)
            snapshots.push(snapshotOf(ended))
          }
          changes.push(...fresh)
          heard.take(
            fresh.map(({ transaction, tag }) => ({ transaction, tags: [tag] })),
            snapshotOf(ended),
          )
        }
        for (const snapshot of snapshots) {
          for (const tag of ['a', 'b', 'c', 'd']) {
            const isBehind = changes.some((change) => change.tag === tag && !sees(snapshot, change.transaction))
            if (isBehind && heard.isSatisfied(snapshot, heard.slotsOf([tag]))) t.fail(`${tag} by ${snapshot.text}`)
          }
        }
      }),
      { numRuns: 2_000 },
    )
    t.pass()
  },
)

t.test(
  'of more than a thousand tails with several changes for one slot the oldest ask for more, never for less',
  async (t) => {
    const heard = new Heard({ slots: 2 ** 16, seed: 3 })
    for (let n = 0; n < 3_000; n++) {
      const [one, two] = [2 * n + 1, 2 * n + 2]
      const snapshot = parseSnapshot(`${two + 1}:${two + 1}:`)!
      heard.take(
        [
          { transaction: one, tags: [`t${n}`] },
          { transaction: two, tags: [`t${n}`] },
        ],
        snapshot,
      )
    }
    for (const n of [0, 500, 1_500, 2_500, 2_999]) {
      const slots = heard.slotsOf([`t${n}`])
      t.notOk(heard.isSatisfied(parseSnapshot(`${2 * n + 2}:${2 * n + 2}:`)!, slots), `before the ${n}th`)
      t.ok(heard.isSatisfied(parseSnapshot('6001:6001:')!, slots))
    }
    t.ok(heard.isSatisfied(parseSnapshot('6000:6001:')!, heard.slotsOf(['t2999'])))
  },
)

t.test('hints that came before a tail are answered by it, those that came during it are not', async (t) => {
  const hints = new Hints()
  t.ok(hints.isEmpty)
  hints.add(['a'])
  hints.tailBegan()
  hints.add(['b'])
  t.ok(hints.has(['a']) && hints.has(['x', 'b']))
  hints.tailEnded({ hasFailed: false })
  t.notOk(hints.has(['a']))
  t.ok(hints.has(['b']))
  hints.tailBegan()
  hints.tailEnded({ hasFailed: false })
  t.ok(hints.isEmpty)
})

t.test('a tail that failed answers nothing', async (t) => {
  const hints = new Hints()
  hints.add(['a'])
  hints.tailBegan()
  hints.add(['b'])
  hints.tailEnded({ hasFailed: true })
  t.ok(hints.has(['a']) && hints.has(['b']))
})

t.test('above ten thousand, and for a star, everything is in doubt', async (t) => {
  for (const tags of [['*'], Array.from({ length: 10_001 }, (_, n) => `t${n}`)]) {
    const hints = new Hints()
    hints.tailBegan()
    hints.add(tags)
    t.ok(hints.has(['anything']))
    hints.tailEnded({ hasFailed: true })
    t.ok(hints.has(['anything']))
    hints.tailBegan()
    hints.tailEnded({ hasFailed: false })
    t.notOk(hints.has(['anything']))
  }
})

t.test(
  'another identity, a tail that began elsewhere, or one too big to be read makes what was before unknown',
  async (t) => {
    const answer = { snapshot: '5:5:', from: '5:5:', identity: 'one', fault: undefined, changes: [] }
    const knowledge = new Knowledge({ slots: 16, seed: 1 })
    t.notOk(knowledge.isCurrent(knowledge.provenance(), []), 'before the first tail')
    t.equal(knowledge.take(answer), true)
    const provenance = knowledge.provenance()!
    t.ok(knowledge.isCurrent(provenance, []))
    const { news } = knowledge
    t.equal(knowledge.take({ ...answer, snapshot: '6:6:', from: '5:5:' }), false)
    t.equal(knowledge.news, news, 'nothing has changed')
    t.ok(knowledge.isCurrent(provenance, []))
    t.equal(knowledge.renewed(provenance).snapshot.text, '6:6:')
    knowledge.take({ ...answer, snapshot: '7:7:', from: '6:6:', changes: undefined })
    t.not(knowledge.news, news)
    t.notOk(knowledge.isCurrent(provenance, []), 'too big')
    const after = knowledge.provenance()!
    knowledge.take({ ...answer, snapshot: '9:9:', from: '8:8:' })
    t.notOk(knowledge.isCurrent(after, []), 'a gap')
    const last = knowledge.provenance()!
    t.equal(knowledge.take({ ...answer, snapshot: '9:9:', from: '9:9:', identity: 'two' }), true)
    t.notOk(knowledge.isCurrent(last, []), 'another identity')
  },
)
