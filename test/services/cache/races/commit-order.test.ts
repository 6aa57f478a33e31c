import t from 'tap'
import { Rows, startWorld, tagOf } from '../../../helpers/cache/replicas.js'

t.test(
  'of two writers that commit in another order than they began, the later commit counts, not the higher id',
  async (t) => {
    const { database, members, clock } = await startWorld(t)
    const [early, late] = [members[0]!, members[1]!]
    const rows = new Rows(database)
    database.rows.set('a', 'old')
    const first = database.begin([tagOf('a')], { a: 'committed last' })
    const second = database.begin([tagOf('a')], { a: 'committed first' })
    second.commit()
    await clock.advance(334)
    // Both have heard of the higher id. This load sees it, and not the lower one, which is still running.
    t.equal(await rows.read(early, 'a'), 'committed first: miss')
    first.commit()
    await clock.advance(334)
    t.equal(await rows.read(early, 'a'), 'committed last: miss')
    t.equal(await rows.read(late, 'a'), 'committed last: hit in redis')
  },
)

t.test('of several changes in one tail all must be seen, whichever id is the highest', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, other] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  const first = database.begin([tagOf('a')], { a: 'committed last' })
  const second = database.begin([tagOf('a')], { a: 'committed first' })
  // The reader misses a tail; the other one tails between the two commits, and fills Redis with what it sees.
  reader.journal.failure = new Error('lost')
  second.commit()
  await clock.advance(334)
  t.equal(await rows.read(other, 'a'), 'committed first: miss')
  first.commit()
  reader.journal.failure = undefined
  await clock.advance(400)
  t.equal(await rows.read(reader, 'a'), 'committed last: miss', 'its one tail brought both')
})
