import t from 'tap'
import { openCache } from '../../../../services/cache/index.js'
import { drain, FakeClock } from '../../../helpers/cache/fake-clock.js'
import { MemoryRedis } from '../../../helpers/cache/memory-redis.js'
import { ModelJournal } from '../../../helpers/cache/model-database.js'
import { BOUND_MS, entry, Rows, startWorld, tagOf, words, write } from '../../../helpers/cache/replicas.js'

for (const skewMs of [-300_000, 300_000]) {
  t.test(`a replica whose wall clock is ${skewMs / 1_000} s off judges like the others`, async (t) => {
    const { database, members, clock, keys } = await startWorld(t, { replicas: 1 })
    const writer = members[0]!
    const skewed = new FakeClock()
    skewed.stepWall(skewMs)
    const cache = await openCache({
      journal: new ModelJournal(database),
      redis: { client: new MemoryRedis(clock, keys) },
      clock: skewed,
      boundMs: BOUND_MS,
      random: () => 0,
    })
    t.teardown(() => Promise.all([skewed.advance(10_000), cache.close()]))
    await skewed.advance(334)
    const rows = new Rows(database)
    database.rows.set('a', 'old')
    const { key, ...options } = entry('a')
    t.equal(words(await cache.getOrLoad(key, options, rows.loader('a'))), 'old: miss')
    await write(writer, database, 'a', 'new')
    await skewed.advance(334)
    t.equal(words(await cache.getOrLoad(key, options, rows.loader('a'))), 'new: miss')
    await clock.advance(334)
    t.match(await rows.read(writer, 'a'), /^new: /, 'nor is what it stored ever taken for newer than it is')
    database.change([tagOf('a')], { a: 'newest' })
    await Promise.all([clock.advance(334), skewed.advance(334)])
    t.equal(await rows.read(writer, 'a'), 'newest: miss')
  })
}

t.test('an entry of a machine whose clock is ahead lives no longer than its policy says', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  clock.stepWall(1_000_000)
  await clock.advance(334)
  await rows.read(writer, 'a')
  clock.stepWall(-1_000_000)
  await clock.advance(334)
  t.equal(await rows.read(reader, 'a'), 'x: hit in redis')
  await clock.advance(370_000)
  t.equal(await rows.read(reader, 'a'), 'x: miss')
})

t.test('nor longer than its reader’s policy says, which may be another one than that of who stored it', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  const policy = { ttl: 1_000, grace: 5_000 }
  await rows.read(writer, 'a', { ttl: 300_000, grace: 60_000 })
  t.equal(await rows.read(reader, 'a', policy), 'x: hit in redis')
  // The lease of the writer's load is over by then.
  await clock.advance(2_100)
  rows.failure = new Error('no database')
  t.equal(await rows.read(reader, 'a', policy), 'x: stale in memory')
  await drain()
  t.equal(rows.count, 2, 'it is to be refreshed')
  await clock.advance(6_100)
  await t.rejects(rows.read(reader, 'a', policy), /no database/)
})

t.test('an entry that is over by its writer’s clock is not taken, however long Redis keeps it', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  clock.stepWall(-1_000_000)
  await clock.advance(334)
  await rows.read(writer, 'a')
  clock.stepWall(1_000_000)
  await clock.advance(334)
  const reading = rows.read(reader, 'a')
  await clock.advance(2_500)
  t.equal(await reading, 'x: miss')
})
