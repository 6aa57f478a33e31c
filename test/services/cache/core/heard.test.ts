import fc from 'fast-check'
import t from 'tap'
import { EVERYTHING, Heard } from '../../../../services/cache/core/heard.js'
import { parseSnapshot, type Snapshot } from '../../../../services/cache/core/snapshot.js'

/** Nothing runs, and all below `xmax` has ended. */
function at(xmax: number, ...xip: readonly number[]): Snapshot {
  const snapshot = parseSnapshot(`${xip[0] ?? xmax}:${xmax}:${xip.join()}`)
  if (snapshot === undefined) throw new Error('no snapshot')
  return snapshot
}

function uuid(n: number): string {
  const hex = n.toString(16).padStart(12, '0')
  return `0190c1a2-7${hex.slice(0, 3)}-7abc-8def-${hex}`
}

const SLOTS = 2 ** 20

t.test('a change is heard under any tag that Postgres can hold', async (t) => {
  const strange = [
    '',
    ' ',
    'ä',
    'a\u0308',
    '日本語/設計',
    '🎨',
    '👩‍👩‍👧',
    '\u{10ffff}',
    'x'.repeat(10_000),
    '__proto__',
    'a/b?c=*',
  ]
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...strange), fc.string({ unit: 'binary' })), fc.integer(), (tag, seed) => {
      const heard = new Heard({ slots: 4_096, seed })
      heard.take([{ transaction: 5, tags: [tag] }], at(6))
      const slots = heard.slotsOf([tag])
      return !heard.isSatisfied(at(5), slots) && heard.isSatisfied(at(6), slots)
    }),
    { numRuns: 200 },
  )
  const heard = new Heard({ slots: SLOTS, seed: 1 })
  t.notSame(heard.slotsOf(['ä']), heard.slotsOf(['a\u0308']), 'two texts, two tags')
})

t.test('a number of slots that is no power of two, or one, makes misses and no old answers', async (t) => {
  for (const slots of [1, 2, 3, 5, 6, 7, 100]) {
    const heard = new Heard({ slots, seed: 99 })
    const tags = Array.from({ length: 50 }, (_, n) => `tag ${n}`)
    tags.forEach((tag, n) => heard.take([{ transaction: 10 + n, tags: [tag] }], at(11 + n)))
    tags.forEach((tag, n) => {
      t.notOk(heard.isSatisfied(at(10 + n), heard.slotsOf([tag])), `${tag} with ${slots} slots`)
      t.ok(heard.isSatisfied(at(60), heard.slotsOf([tag])))
    })
  }
})

t.test('every seed puts every tag into slots that there are', async (t) => {
  fc.assert(
    fc.property(fc.string(), fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.nat({ max: 2 ** 32 })), (tag, seed) =>
      new Heard({ slots: 8, seed }).slotsOf([tag]).every((slot) => Number.isInteger(slot) && slot >= 0 && slot < 8),
    ),
  )
  t.pass()
})

for (const [kind, name] of [
  ['ids in the order of time', uuid],
  ['numbers', (n: number) => `u/designs/${n}`],
] as const) {
  t.test(`with 100,000 tags changed, about 3 % of the old entries of others collide: ${kind}`, async (t) => {
    const heard = new Heard({ slots: SLOTS, seed: 20_261_123 })
    const changed = Array.from({ length: 100_000 }, (_, n) => name(n))
    heard.take([{ transaction: 5, tags: changed }], at(6))
    let misses = 0
    for (let n = 200_000; n < 220_000; n++) if (!heard.isSatisfied(at(5), heard.slotsOf([name(n)]))) misses += 1
    t.ok(misses > 400 && misses < 900, `${misses} of 20,000`)
    t.ok(heard.isSatisfied(at(5), heard.slotsOf([])))
  })
}

t.test('tags that share both slots under one seed part under another', async (t) => {
  const tags = Array.from({ length: 2_000 }, (_, n) => uuid(n))
  const pairs = (seed: number): Map<string, string> => {
    const heard = new Heard({ slots: 64, seed })
    const found = new Map<string, string>()
    const seen = new Map<string, string>()
    for (const tag of tags) {
      const slots = heard.slotsOf([tag]).join()
      const other = seen.get(slots)
      if (other !== undefined) found.set(tag, other)
      else seen.set(slots, tag)
    }
    return found
  }
  const [one, two] = [pairs(1), pairs(2)]
  const both = [...one].filter(([tag, other]) => two.get(tag) === other).length
  t.ok(one.size > 100, 'enough of them to tell')
  t.ok(both < one.size / 20, `${both} of ${one.size} collide under both seeds`)
})

t.test('several rows of one transaction count as one change', async (t) => {
  const heard = new Heard({ slots: SLOTS, seed: 1 })
  heard.take(
    [5, 5, 5].map((transaction) => ({ transaction, tags: ['a', EVERYTHING] })),
    at(9, 7),
  )
  t.ok(heard.isSatisfied(at(6, 4), heard.slotsOf(['a'])), 'sees 5, and does not cover the tail')
})

t.test('the order in which a tail brings its changes does not matter', async (t) => {
  const changes = [
    { transaction: 5, tags: ['a', 'b'] },
    { transaction: 7, tags: ['b', EVERYTHING] },
    { transaction: 6, tags: ['a', 'c'] },
  ]
  const answers = [changes, changes.toReversed(), [changes[1]!, changes[2]!, changes[0]!]].map((order) => {
    const heard = new Heard({ slots: SLOTS, seed: 1 })
    heard.take(order, at(8))
    const snapshots = [at(5), at(6), at(7), at(7, 5), at(8), at(8, 5), at(8, 6), at(8, 7), at(8, 5, 6)]
    return snapshots.map((snapshot) =>
      ['a', 'b', 'c', 'd'].map((tag) => heard.isSatisfied(snapshot, heard.slotsOf([tag]))),
    )
  })
  t.same(answers[1], answers[0])
  t.same(answers[2], answers[0])
})

t.test('a tail that brings nothing for a tag leaves what was heard of it', async (t) => {
  const heard = new Heard({ slots: SLOTS, seed: 1 })
  heard.take(
    [5, 6].map((transaction) => ({ transaction, tags: ['a', EVERYTHING] })),
    at(7),
  )
  for (let n = 7; n < 20; n++) heard.take([{ transaction: n, tags: ['b'] }], at(n + 1))
  t.notOk(heard.isSatisfied(at(7, 5), heard.slotsOf(['a'])))
  t.notOk(heard.isSatisfied(at(7, 5), []))
  t.ok(heard.isSatisfied(at(7), heard.slotsOf(['a'])))
})

t.test('what is forgotten is forgotten for everything and for snapshots, too', async (t) => {
  const heard = new Heard({ slots: SLOTS, seed: 1 })
  heard.take(
    [5, 6].map((transaction) => ({ transaction, tags: ['a', EVERYTHING] })),
    at(7),
  )
  heard.forget()
  t.ok(heard.isSatisfied(at(3), heard.slotsOf(['a'])))
  t.equal(heard.newest(heard.slotsOf(['a'])), 0)
  heard.take(
    [3, 4].map((transaction) => ({ transaction, tags: ['a'] })),
    at(5),
  )
  t.notOk(heard.isSatisfied(at(5, 3), heard.slotsOf(['a'])))
  t.ok(heard.isSatisfied(at(5), heard.slotsOf(['a'])))
})

t.test('half of a character is heard as what the database gives back for it', async (t) => {
  const heard = new Heard({ slots: 1_024, seed: 1 })
  t.same(heard.slotsOf(['a\ud800', '\udfff']), heard.slotsOf(['a\ufffd', '\ufffd']))
  t.strictNotSame(heard.slotsOf(['😀']), heard.slotsOf(['\ufffd\ufffd']))
})
