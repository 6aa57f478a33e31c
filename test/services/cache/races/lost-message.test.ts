import t from 'tap'
import { deferred } from '../../../helpers/cache/deferred.js'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { BOUND_MS, Rows, startWorld, tagOf, write } from '../../../helpers/cache/replicas.js'

t.test('what nobody announces is heard with the next tail, within H/3', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.isDeaf = true
  await write(writer, database, 'a', 'new')
  await clock.advance(10)
  t.equal(await rows.read(reader, 'a'), 'old: hit in memory', 'nothing has told it yet')
  await clock.advance(BOUND_MS / 3)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test('an announcement puts a tag in doubt at once: the read waits for a tail', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  database.rows.set('b', 'other')
  await rows.read(reader, 'a')
  await rows.read(reader, 'b')
  const { tails } = reader.journal
  await write(writer, database, 'a', 'new')
  await clock.advance(3)
  t.equal(await rows.read(reader, 'b'), 'other: hit in memory', 'what is in no doubt does not wait')
  t.equal(reader.journal.tails, tails, 'a hint starts no tail')
  t.equal(await rows.read(reader, 'a'), 'new: miss')
  t.equal(reader.journal.tails, tails + 1)
})

t.test('announcements that are lost, late, repeated, early or forged change no answer', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  for (const payload of ['nonsense', '[]', '["x"]', '["x",1]', `["x","${tagOf('a')}"]`, '["x","*"]', '{}', 'null']) {
    reader.journal.hear(payload)
    t.equal(await rows.read(reader, 'a'), 'old: hit in memory', payload)
  }
  const transaction = database.begin([tagOf('a')], { a: 'new' })
  reader.journal.hear(`["early","${tagOf('a')}"]`)
  t.equal(await rows.read(reader, 'a'), 'old: hit in memory', 'announced before its commit')
  transaction.commit()
  await write(writer, database, 'b', 'x')
  await clock.advance(BOUND_MS / 3)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test('a hint that comes while a tail is under way is answered by the one after it', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.hold()
  await clock.advance(BOUND_MS / 3)
  await write(writer, database, 'a', 'new')
  await clock.advance(3)
  reader.journal.release()
  await drain()
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test('nor is a read that waits meanwhile answered by the tail that was under way', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.hold()
  await clock.advance(BOUND_MS / 3)
  await write(writer, database, 'a', 'new')
  await clock.advance(3)
  const reading = rows.read(reader, 'a')
  await drain()
  reader.journal.release()
  t.equal(await reading, 'new: miss')
})

t.test('a write is announced after its commit, and not at all when it failed', async (t) => {
  const { members, clock } = await startWorld(t)
  const writer = members[0]!
  const held = deferred()
  const writing = writer.cache.write([tagOf('a')], () => held.promise)
  await clock.advance(5)
  t.same(writer.journal.announced, [])
  held.resolve()
  await writing
  await clock.advance(5)
  t.match(writer.journal.announced, [/u\/things\/a/])
  await t.rejects(writer.cache.write([tagOf('b')], () => Promise.reject(new Error('refused'))))
  await clock.advance(5)
  t.equal(writer.journal.announced.length, 1)
})

t.test('after LISTEN was broken everything is in doubt until a tail', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.cut()
  await write(writer, database, 'a', 'new')
  await clock.advance(60)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test('tiers answer only while the barrier is younger than H, by the monotonic and by the wall clock', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  database.change([tagOf('a')], { a: 'new' })
  clock.stall(BOUND_MS)
  t.equal(await rows.read(only, 'a'), 'new: miss', 'an event loop that stood still')
  await clock.advance(BOUND_MS)
  await rows.read(only, 'a')
  t.equal(await rows.read(only, 'a'), 'new: hit in memory')
  database.change([tagOf('a')], { a: 'newer' })
  clock.stepWall(BOUND_MS)
  t.equal(
    await rows.read(only, 'a'),
    'newer: miss',
    'a machine that was suspended: its monotonic clock stood still too',
  )
})
