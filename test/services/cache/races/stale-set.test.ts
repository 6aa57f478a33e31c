import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { Rows, startWorld, tagOf, write } from '../../../helpers/cache/replicas.js'

t.test('a load that began before a write, and ends after it was heard of, is answered and kept nowhere', async (t) => {
  const { database, members, clock, keys } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const reading = rows.read(reader, 'a')
  await drain()
  await write(writer, database, 'a', 'new')
  await clock.advance(334)
  rows.release()
  t.equal(await reading, 'old: miss')
  t.equal(reader.cache.stats().refusedFills, 1)
  t.equal([...keys.keys.keys()].filter((key) => key.includes(':e:')).length, 0, 'Redis has no entry')
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test(
  'one that ends before its reader hears of the write is kept, and nobody who has heard of it takes it',
  async (t) => {
    const { database, members, clock } = await startWorld(t)
    const [reader, writer] = [members[0]!, members[1]!]
    const rows = new Rows(database)
    database.rows.set('a', 'old')
    reader.journal.hold()
    rows.hold()
    const reading = rows.read(reader, 'a')
    await drain()
    await write(writer, database, 'a', 'new')
    rows.release()
    t.equal(await reading, 'old: miss')
    t.equal(reader.cache.stats().refusedFills, 0, 'it was current as far as this replica knew')
    t.equal(await rows.read(writer, 'a'), 'new: miss', 'the writer does not take it from Redis')
    reader.journal.release()
    await clock.advance(334)
    t.equal(await rows.read(reader, 'a'), 'new: hit in redis', 'and the reader not from its memory')
  },
)

t.test('an entry is stamped with what was seen when its load began, not when it ended', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const reader = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const reading = rows.read(reader, 'a')
  await drain()
  const writing = database.begin([tagOf('a')], { a: 'new' })
  writing.commit()
  // A tail of something else moves what was seen; this one has not come back when the load ends.
  reader.journal.hold()
  const tailing = clock.advance(334)
  rows.release()
  await reading
  reader.journal.release()
  await tailing
  await clock.advance(334)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})
