import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { Rows, startWorld, write } from '../../../helpers/cache/replicas.js'

t.test('a read that begins after a write was acknowledged here does not join a load from before it', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const early = rows.read(only, 'a')
  await drain()
  await write(only, database, 'a', 'new')
  const late = rows.read(only, 'a')
  await drain()
  rows.release()
  t.equal(await late, 'new: miss')
  t.equal(await early, 'old: miss', 'who was there before has what it asked for')
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

t.test('a reader that has joined twice takes what it gets: it began before that load', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  rows.hold()
  const readings = [rows.read(reader, 'a'), rows.read(reader, 'a')]
  await drain()
  await write(writer, database, 'a', 'newer')
  await clock.advance(334)
  rows.release()
  rows.hold()
  await drain()
  await write(writer, database, 'a', 'newest')
  await clock.advance(334)
  rows.release()
  t.same(await Promise.all(readings), ['nothing: miss', 'newer: miss'])
  t.equal(rows.count, 2)
})

t.test('without the journal a load is joined for H, and not once a write here has put it in doubt', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  only.journal.failure = new Error('gone')
  await clock.advance(1_100)
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
  t.match(await late, 'new')
  await Promise.all([first, joined])
})
