import t, { type Test } from 'tap'
import { JournalFollower } from '../../../../services/cache/journal/follower.js'
import { Knowledge } from '../../../../services/cache/core/knowledge.js'
import { drain, FakeClock } from '../../../helpers/cache/fake-clock.js'
import { ModelDatabase, ModelJournal } from '../../../helpers/cache/model-database.js'

const BOUND_MS = 900

async function setUp(t: Test) {
  const clock = new FakeClock()
  const database = new ModelDatabase()
  const journal = new ModelJournal(database)
  const knowledge = new Knowledge({ slots: 1_024, seed: 1 })
  const failures: string[] = []
  const follower: JournalFollower = new JournalFollower({
    journal,
    knowledge,
    clock,
    boundMs: BOUND_MS,
    onTail: () => {},
    onChange: () => failures.push(follower.reason),
  })
  await follower.start()
  t.teardown(async () => {
    journal.release()
    await Promise.all([follower.stop(), clock.advance(10_000)])
  })
  return { clock, database, journal, knowledge, follower, failures }
}

/** When the last finished tail began. */
function barrierOf(follower: JournalFollower, clock: FakeClock): number {
  return clock.now() - follower.sinceBarrier(clock.now())
}

/** What a promise has come to by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'not yet'> {
  await drain()
  return Promise.race([promise, Promise.resolve('not yet' as const)])
}

t.test('a tail every third of H, whatever it takes itself', async (t) => {
  const { clock, journal } = await setUp(t)
  await drain()
  const before = journal.tails
  await clock.advance(BOUND_MS * 10)
  t.equal(journal.tails, before + 30)
  journal.hold()
  await clock.advance(BOUND_MS / 3 + 100)
  journal.release()
  const held = journal.tails
  await clock.advance(BOUND_MS / 3 - 101)
  t.equal(journal.tails, held)
  await clock.advance(1)
  t.equal(journal.tails, held + 1, 'counted from its beginning')
})

t.test('many replicas read the journal less often, and each still often enough', async (t) => {
  const { clock, journal, follower } = await setUp(t)
  const tailsInTenBounds = async (replicas: number): Promise<number> => {
    follower.replicas = replicas
    await clock.advance(BOUND_MS)
    const before = journal.tails
    await clock.advance(10 * BOUND_MS)
    return journal.tails - before
  }
  t.equal(await tailsInTenBounds(50), 30)
  t.equal(await tailsInTenBounds(81), 20, '180 a second together')
  t.equal(await tailsInTenBounds(1_000), 16, 'a tail that fails can be made again within H')
  t.equal(await tailsInTenBounds(1), 30)
  follower.replicas = 1_000
  await clock.advance(BOUND_MS)
  // To some time after a tail.
  await clock.advance(0.8 * BOUND_MS - follower.sinceBarrier(clock.now()))
  journal.failure = new Error('gone')
  await clock.advance(0.6 * BOUND_MS)
  journal.failure = undefined
  await clock.advance(BOUND_MS / 3)
  t.ok(follower.isFollowed(clock.now()), 'and it is, as soon as ever')
})

t.test('the barrier is the moment at which the last finished tail began', async (t) => {
  const { clock, journal, follower } = await setUp(t)
  await clock.advance(1)
  journal.hold()
  await clock.advance(BOUND_MS / 3)
  const beganAt = clock.now() - 1
  await clock.advance(200)
  t.ok(barrierOf(follower, clock) < beganAt)
  journal.release()
  await drain()
  t.equal(barrierOf(follower, clock), beganAt)
  journal.hold()
  clock.stall(BOUND_MS - 202)
  t.ok(follower.isFollowed(clock.now()))
  clock.stall(1)
  t.notOk(follower.isFollowed(clock.now()), 'H after it')
})

t.test('it ages by the wall clock too, which goes on while a machine is suspended', async (t) => {
  const { clock, follower } = await setUp(t)
  t.ok(follower.isFollowed(clock.now()))
  clock.stepWall(BOUND_MS)
  t.notOk(follower.isFollowed(clock.now()))
  clock.stepWall(-BOUND_MS)
  t.ok(follower.isFollowed(clock.now()))
  clock.stepWall(-60_000)
  t.ok(follower.isFollowed(clock.now()), 'a wall clock that was put back')
  clock.stall(BOUND_MS)
  t.notOk(follower.isFollowed(clock.now()), 'keeps no barrier young')
})

t.test('who waits is answered by a tail that begins now, which all of them share', async (t) => {
  const { clock, database, journal, knowledge, follower } = await setUp(t)
  await clock.advance(1)
  const before = journal.tails
  database.change(['a'])
  const waiting = Promise.all(Array.from({ length: 100 }, () => follower.settled()))
  t.same(
    await now(waiting),
    Array.from({ length: 100 }, () => true),
  )
  t.equal(journal.tails, before + 1)
  t.not(knowledge.heard.newest(knowledge.heard.slotsOf(['a'])), 0)
})

t.test('one that was under way answers nobody who came since; the next one begins at once', async (t) => {
  const { clock, database, journal, knowledge, follower } = await setUp(t)
  await clock.advance(1)
  journal.hold()
  const early = follower.settled()
  await drain()
  database.change(['a'])
  const late = follower.settled()
  const { tails } = journal
  journal.release()
  journal.hold()
  t.equal(await now(early), true)
  t.equal(knowledge.heard.newest(knowledge.heard.slotsOf(['a'])), 0, 'it had begun before')
  t.equal(await now(late), 'not yet')
  t.equal(journal.tails, tails + 1)
  journal.release()
  t.equal(await now(late), true)
  t.not(knowledge.heard.newest(knowledge.heard.slotsOf(['a'])), 0)
})

t.test('no tail can tell: at once when it fails, and after H when it hangs', async (t) => {
  const { clock, journal, follower, failures } = await setUp(t)
  await clock.advance(1)
  journal.failure = new Error('gone')
  t.equal(await now(follower.settled()), false)
  t.same(failures, ['gone'])
  journal.failure = undefined
  await clock.advance(1_000)
  journal.hold()
  const waiting = follower.settled()
  await clock.advance(BOUND_MS - 1)
  t.equal(await now(waiting), 'not yet')
  await clock.advance(1)
  t.equal(await now(waiting), false)
})

t.test('after a failure it asks no more often than before, and goes on when there is an answer', async (t) => {
  const { clock, journal, follower, failures } = await setUp(t)
  journal.failure = new Error('gone')
  await clock.advance(60_000)
  t.ok(journal.tails <= 202, `${journal.tails} tails in a minute`)
  t.ok(journal.tails > 190)
  t.same(new Set(failures), new Set(['gone']))
  t.notOk(follower.isFollowed(clock.now()))
  journal.failure = undefined
  await clock.advance(1_000)
  t.ok(follower.isFollowed(clock.now()))
})

t.test('one that has no identity moves no barrier, and says why', async (t) => {
  const { clock, journal, follower, failures } = await setUp(t)
  const barrier = barrierOf(follower, clock)
  journal.fault = 'a trigger is missing'
  t.equal(await now(follower.settled()), false)
  await clock.advance(BOUND_MS)
  t.equal(barrierOf(follower, clock), barrier)
  t.same(new Set(failures), new Set(['a trigger is missing']))
})

t.test('stopped, it answers all who wait', async (t) => {
  const { clock, journal, follower } = await setUp(t)
  await clock.advance(1)
  journal.hold()
  const [early] = [follower.settled()]
  await drain()
  const late = follower.settled()
  const stopping = follower.stop()
  journal.release()
  await stopping
  t.same(await Promise.all([early, late]), [true, false])
})
