import t from 'tap'
import { drain } from '../../helpers/cache/fake-clock.js'
import { entry, Rows, startWorld } from '../../helpers/cache/replicas.js'

const POLICY = { ttl: 10_000, grace: 5_000 }

t.test(
  'what memory takes from Redis is as old as it was there: fresh, stale and over at the same moments',
  async (t) => {
    const { database, members, clock } = await startWorld(t, { replicas: 3 })
    const [loader, early, late] = [members[0]!, members[1]!, members[2]!]
    const rows = new Rows(database)
    database.rows.set('a', 'x')
    await rows.read(loader, 'a', POLICY)
    await clock.advance(9_000)
    t.equal(await rows.read(early, 'a', POLICY), 'x: hit in redis')
    t.match(early.cache.peek('u/a'), { ageMs: 9_000, ttlMs: 1_000 })
    await clock.advance(1_000)
    t.equal(early.cache.peek('u/a'), undefined, 'no longer fresh')

    // Nobody can refresh it: what is stale stays stale, wherever it is read.
    rows.failure = new Error('no database')
    await clock.advance(2_000)
    for (const member of [loader, early]) t.equal(await rows.read(member, 'a', POLICY), 'x: stale in memory')
    t.equal(await rows.read(late, 'a', POLICY), 'x: stale in redis')
    t.equal(await rows.read(late, 'a', POLICY), 'x: stale in memory', 'promoted, and as stale as before')
    await clock.advance(3_000)
    for (const member of members) await t.rejects(rows.read(member, 'a', POLICY), /no database/)
  },
)

t.test(
  'an entry of Redis that was given longer lifetimes than the policy has lives as long as the policy says',
  async (t) => {
    const { database, members, clock } = await startWorld(t)
    const [generous, strict] = [members[0]!, members[1]!]
    const rows = new Rows(database)
    database.rows.set('a', 'x')
    await rows.read(generous, 'a', { ttl: 100_000, grace: 100_000 })
    await clock.advance(9_000)
    t.equal(await rows.read(strict, 'a', POLICY), 'x: hit in redis')
    await clock.advance(2_000)
    t.equal(strict.cache.peek('u/a'), undefined)
    await clock.advance(5_000)
    t.equal(await rows.read(strict, 'a', POLICY), 'x: miss')
  },
)

t.test(
  'a lifetime of 0 takes no place in either tier, and concurrent readers share the load all the same',
  async (t) => {
    const { database, members, keys } = await startWorld(t, { replicas: 1 })
    const only = members[0]!
    const rows = new Rows(database)
    const policy = { negativeTtl: 0 }
    rows.hold()
    const reads = [rows.read(only, 'a', policy), rows.read(only, 'a', policy)]
    rows.release()
    t.same(await Promise.all(reads), ['nothing: miss', 'nothing: miss'])
    t.equal(rows.count, 1)
    t.equal(only.cache.stats().memoryItems, 0)
    t.same(
      [...keys.keys.keys()].filter((key) => !key.includes(':l:')),
      [],
    )
    const { key, ...options } = entry('c', policy)
    t.match(await only.cache.getOrLoad(key, options, rows.loader('c')), { outcome: 'miss', stored: false })
    database.rows.set('b', 'x')
    await rows.read(only, 'b', policy)
    t.equal(only.cache.stats().memoryItems, 1)
  },
)

t.test(
  'a lifetime may be infinite, one of many years, and a grace that is none leaves the fresh time as it is',
  async (t) => {
    for (const policy of [
      { ttl: Infinity },
      { ttl: 1e15, grace: Infinity },
      { ttl: 10_000, grace: -1 },
      { ttl: 10_000, grace: NaN },
    ]) {
      const { database, members } = await startWorld(t)
      const [one, two] = [members[0]!, members[1]!]
      const rows = new Rows(database)
      database.rows.set('a', 'x')
      await rows.read(one, 'a', policy)
      await drain()
      t.equal(await rows.read(two, 'a', policy), 'x: hit in redis')
      t.equal(two.cache.stats().invalidEntries, 0)
    }
  },
)

t.test('a lifetime below 0, or that is no number, is none, and asks Redis for nothing again and again', async (t) => {
  for (const ttl of [0, -1, NaN]) {
    const { database, members, clock } = await startWorld(t, { replicas: 1 })
    const only = members[0]!
    const rows = new Rows(database)
    database.rows.set('a', 'x')
    rows.hold()
    const asked = only.redis.commands.length
    const reading = rows.read(only, 'a', { ttl, grace: -1 })
    await clock.advance(100)
    rows.release()
    t.equal(await reading, 'x: miss')
    t.equal(only.cache.stats().memoryItems, 0)
    t.ok(only.redis.commands.length - asked < 20)
  }
})
