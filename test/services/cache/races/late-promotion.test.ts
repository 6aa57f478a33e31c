import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { Rows, startWorld, write } from '../../../helpers/cache/replicas.js'

t.test('a reply of Redis that comes after a write was heard of is not answered, and not kept', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(writer, 'a')
  reader.redis.hold()
  const reading = rows.read(reader, 'a')
  await drain()
  await write(writer, database, 'a', 'new')
  await clock.advance(334)
  reader.redis.release()
  t.equal(await reading, 'new: miss')
  t.equal(await rows.read(reader, 'a'), 'new: hit in memory')
})

t.test('a reply that comes after the journal was lost is not answered from Redis', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(writer, 'a')
  reader.redis.hold()
  const reading = rows.read(reader, 'a')
  await drain()
  reader.journal.failure = new Error('gone')
  // Isolated, and not yet so long that a load is given up.
  await clock.advance(1_020)
  database.change(['u/things/a'], { a: 'new' })
  reader.redis.release()
  t.equal(await reading, 'new: miss')
})

t.test('a reply that was asked for under another identity is not answered', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'taken back')
  await rows.read(writer, 'a')
  reader.redis.hold()
  const reading = rows.read(reader, 'a')
  await drain()
  database.goBackTo(0, new Map([['a', 'restored']]))
  await clock.advance(334)
  reader.redis.release()
  t.equal(await reading, 'restored: miss')
})
