import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { Rows, startWorld, write } from '../../../helpers/cache/replicas.js'

t.test('a read that begins after a write was acknowledged here does not join a load from before it', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.holdEach()
  const early = rows.read(only, 'a')
  await drain()
  await write(only, database, 'a', 'new')
  const late = rows.read(only, 'a')
  await drain()
  rows.loads[1]?.resolve()
  t.equal(await late, 'new: miss', 'nor does it wait for it')
  rows.loads[0]?.resolve()
  t.equal(await early, 'old: miss', 'who was there before has what it asked for')
  t.equal(await rows.read(only, 'a'), 'new: hit in memory')
  t.equal(rows.count, 2)
})

t.test('a load that was overtaken and ends does not take the one after it out of sight', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  rows.holdEach()
  const early = rows.read(only, 'a')
  await drain()
  await write(only, database, 'a', 'new')
  const late = rows.read(only, 'a')
  await drain()
  rows.loads[0]?.resolve()
  await early
  const joining = rows.read(only, 'a')
  await drain()
  rows.loads[1]?.resolve()
  t.same(await Promise.all([late, joining]), ['new: miss', 'new: miss'])
  t.equal(rows.count, 2)
})

t.test('who joined a load that a write has overtaken reads once more, all of them together', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const readings = Array.from({ length: 250 }, () => rows.read(reader, 'a'))
  await drain()
  await write(writer, database, 'a', 'new')
  await clock.advance(334)
  rows.release()
  const answers = await Promise.all(readings)
  t.equal(answers[0], 'old: miss')
  t.same(new Set(answers.slice(1)), new Set(['new: miss']))
  t.equal(rows.count, 2)
})

t.test('a reader that has joined twice takes what it gets: that load began after it came', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  rows.holdEach()
  const [first, joined] = [rows.read(only, 'a'), rows.read(only, 'a')]
  await drain()
  await write(only, database, 'a', 'newer')
  const second = rows.read(only, 'a')
  await drain()
  await write(only, database, 'a', 'newest')
  // Heard of while both loads are under way.
  await clock.advance(334)
  rows.loads[0]?.resolve()
  t.equal(await first, 'nothing: miss')
  await drain()
  t.equal(rows.count, 2, 'it has joined the second one')
  rows.loads[1]?.resolve()
  t.same(await Promise.all([second, joined]), ['newer: miss', 'newer: miss'])
})

t.test('without the journal a load is joined for H, and not once a write here has put it in doubt', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  only.journal.fault = 'a trigger is missing'
  await clock.advance(1_400)
  t.equal(only.cache.state, 'isolated')
  rows.hold()
  const first = rows.read(only, 'a')
  await drain()
  const joined = rows.read(only, 'a')
  await drain()
  t.equal(rows.count, 1)
  await write(only, database, 'a', 'new')
  const late = rows.read(only, 'a')
  await drain()
  t.equal(rows.count, 2)
  rows.release()
  t.same(await Promise.all([first, joined, late]), ['nothing: miss', 'nothing: miss', 'new: miss'])

  rows.hold()
  const hung = rows.read(only, 'b').catch((error: Error) => error.name)
  await clock.advance(1_001)
  t.equal(await hung, 'JournalUnavailableError')
  const tooLate = rows.read(only, 'b').catch((error: Error) => error.name)
  await drain()
  t.equal(rows.count, 4, 'a load of H ago is not joined')
  rows.release()
  t.equal(await tooLate, 'nothing: miss')
})
