import t from 'tap'
import type { MissedInvalidation } from '../../../services/cache/index.js'
import { BOUND_MS, entry, Rows, startWorld, tagOf } from '../../helpers/cache/replicas.js'

/** All hits, so many a second. */
function every(perSecond = 1_000) {
  const missed: MissedInvalidation[] = []
  const options = {
    verification: { share: 1, perSecond },
    events: { onMissedInvalidation: (one: MissedInvalidation) => void missed.push(one) },
  }
  return { missed, options }
}

t.test('a change that told nobody is found by the next answers, told, and healed on every replica', async (t) => {
  const { missed, options } = every()
  const { database, members, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  for (const member of [one, two]) await rows.read(member, 'a')
  database.rows.set('a', 'new')
  t.equal(await rows.read(one, 'a'), 'old: hit in memory', 'nobody can know')
  await clock.advance(2 * BOUND_MS)
  t.match(missed, [{ key: entry('a').key, tags: [tagOf('a')] }])
  t.equal(one.cache.stats().verified.missed + two.cache.stats().verified.missed, 1)
  t.match([await rows.read(one, 'a'), await rows.read(two, 'a')], [/^new/, /^new/])
  await clock.advance(2 * BOUND_MS)
  t.equal(missed.length, 1)
})

t.test('a row that is gone, or came, without a word', async (t) => {
  const { missed, options } = every()
  const { database, members, clock } = await startWorld(t, { options, replicas: 1, hasRedis: false })
  const rows = new Rows(database)
  await rows.read(members[0]!, 'a')
  database.rows.set('b', 'x')
  await rows.read(members[0]!, 'b')
  database.rows.set('a', 'came')
  database.rows.delete('b')
  for (const id of ['a', 'b']) await rows.read(members[0]!, id)
  await clock.advance(2 * BOUND_MS)
  t.equal(missed.length, 2)
  t.same([await rows.read(members[0]!, 'a'), await rows.read(members[0]!, 'b')], ['came: miss', 'nothing: miss'])
})

t.test('a change that told is none, whenever it comes', async (t) => {
  const { missed, options } = every()
  const { database, members, clock } = await startWorld(t, { options, replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'first')
  await rows.read(only, 'a')
  for (let n = 0; n < 40; n += 1) {
    const reading = rows.read(only, 'a')
    database.change([tagOf('a')], { a: `${n}` })
    await clock.advance(n * 37)
    await reading
  }
  await clock.advance(2 * BOUND_MS)
  t.same(missed, [])
  const { confirmed, undecided } = only.cache.stats().verified
  t.ok(undecided > 0)
  await rows.read(only, 'a')
  await rows.read(only, 'a')
  await clock.advance(2 * BOUND_MS)
  t.ok(only.cache.stats().verified.confirmed > confirmed)
})

t.test('no more than so many a second, and none of a share of 0', async (t) => {
  for (const [verification, most] of [
    [{ share: 1, perSecond: 5 }, 10],
    [{ share: 0, perSecond: 5 }, 0],
  ] as const) {
    const { database, members, clock } = await startWorld(t, {
      options: { verification },
      replicas: 1,
      hasRedis: false,
    })
    const only = members[0]!
    const rows = new Rows(database)
    database.rows.set('a', 'x')
    await rows.read(only, 'a')
    for (let n = 0; n < 100; n += 1) {
      await rows.read(only, 'a')
      await clock.advance(10)
    }
    await clock.advance(BOUND_MS)
    t.ok(rows.count - 1 <= most, `${rows.count} loads`)
    if (most > 0) t.ok(rows.count > 4)
  }
})

t.test('about the share that was asked for', async (t) => {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const options = { verification: { share: 0.05, perSecond: 1_000_000 }, random }
  const { database, members, clock } = await startWorld(t, { options, replicas: 1, hasRedis: false })
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(members[0]!, 'a')
  for (let n = 0; n < 2_000; n += 1) await rows.read(members[0]!, 'a')
  await clock.advance(2 * BOUND_MS)
  const { confirmed } = members[0]!.cache.stats().verified
  t.ok(confirmed > 60 && confirmed < 140, `${confirmed} of 2,000`)
})

t.test('a load that fails, and a journal that does not answer, decide nothing', async (t) => {
  const { missed, options } = every()
  const { database, members, clock } = await startWorld(t, { options, replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(only, 'a')
  await rows.read(only, 'a')
  rows.failure = new Error('no database')
  await clock.advance(BOUND_MS)
  rows.failure = undefined
  t.match(only.cache.stats(), { backgroundErrors: 0, verified: { undecided: 1 } })
  await rows.read(only, 'a')
  only.journal.failure = new Error('no journal')
  database.rows.set('a', 'y')
  await clock.advance(3 * BOUND_MS)
  t.same(missed, [])
})
