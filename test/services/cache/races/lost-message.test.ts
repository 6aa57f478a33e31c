import t from 'tap'
import { startMemoryCluster, verdicts, words } from '../../../helpers/cache/cluster.js'
import { BOUND_MS, entry, HeldLoader, POLICY, tagOf } from '../../../helpers/cache/replica.js'

const a = entry('a')
const TAIL_MS = BOUND_MS / 3

/** A replica without Redis that has `old` in memory. */
async function startWarm(t: Parameters<typeof startMemoryCluster>[0]) {
  const cluster = await startMemoryCluster(t)
  const [replica] = cluster.members
  if (replica === undefined) throw new Error('one replica')
  const row = new HeldLoader('old')
  await replica.cache.getOrLoad(a, row.load)
  const read = async (): Promise<string> => words(await replica.cache.getOrLoad(a, row.load))
  return { cluster, replica, row, read }
}

t.test('a notification drops an entry at once', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  await cluster.commit(row, 'new')
  await cluster.clock.advance(0)
  t.equal((await verdicts(replica, a)).memory, 'not in memory')
  t.equal(await read(), 'new: miss')
})

t.test('a notification too long to carry its rows sets off a tail at once', async (t) => {
  const { cluster, row, read } = await startWarm(t)
  await cluster.commit(row, 'new', [tagOf('a'), ...Array.from({ length: 1_000 }, (_, n) => tagOf(`other-${n}`))])
  await cluster.clock.advance(0)
  t.equal(await read(), 'new: miss')
})

t.test('a deaf session: the tail brings the row within H/3', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  for (const session of replica.store.sessions) session.isDeaf = true
  await cluster.commit(row, 'new')
  await cluster.clock.advance(TAIL_MS - 10)
  t.equal(await read(), 'old: hit in memory', 'within H')
  await cluster.clock.advance(20)
  t.equal(await read(), 'new: miss')
})

t.test('a transaction older than the last tail that commits after it is found by the next', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  for (const session of replica.store.sessions) session.isDeaf = true
  const slow = cluster.journal.begin()
  await slow.raise([tagOf('a')])
  await cluster.commit(row, 'old', [tagOf('other')])
  await cluster.clock.advance(2 * TAIL_MS + 10)
  slow.commit(() => (row.row = new HeldLoader('new').row))
  await cluster.clock.advance(TAIL_MS + 10)
  t.equal(await read(), 'new: miss')
})

t.test('a session cut off catches up from where it was', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  for (const session of [...replica.store.sessions]) session.cut()
  await cluster.commit(row, 'new')
  await cluster.clock.advance(60)
  t.equal(await read(), 'new: miss')
  t.equal(replica.cache.health().journal, 'healthy')
})

t.test('a half-open session: memory is not served once the last finished tail began H ago', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  cluster.network.hold(/→ replica 1/)
  await cluster.commit(row, 'new')
  await cluster.clock.advance(BOUND_MS - 1)
  t.equal(await read(), 'old: hit in memory', 'within H')
  await cluster.clock.advance(1)
  t.equal(replica.cache.peek(a), undefined)
  t.equal(await read(), 'new: miss')
  t.equal(replica.cache.state, 'isolated')
  t.equal((await verdicts(replica, a)).memory, 'memory is bypassed: the journal is not followed')
})

t.test('a tail that took long counts from its beginning', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  cluster.network.hold(/Postgres → replica 1: tail|notification/)
  await cluster.clock.advance(TAIL_MS + 1)
  await cluster.commit(row, 'new')
  await cluster.clock.advance(BOUND_MS - 50)
  cluster.network.release()
  cluster.network.hold(/→ replica 1/)
  await cluster.clock.advance(0)
  t.equal(replica.cache.state, 'memory-only', 'its beginning is less than H ago')
  await cluster.clock.advance(100)
  t.equal(replica.cache.state, 'isolated')
  t.equal(await read(), 'new: miss')
})

t.test('an event loop that stood still counts as a barrier that is too old', async (t) => {
  const { cluster, replica, row, read } = await startWarm(t)
  cluster.network.hold(/notification/)
  await cluster.commit(row, 'new')
  cluster.clock.stall(BOUND_MS)
  t.equal(replica.cache.peek(a), undefined)
  t.equal(await read(), 'new: miss')
})

t.test('a journal that went back in time is noticed, and renamed', async (t) => {
  const { cluster, replica, row } = await startWarm(t)
  const before = cluster.journal.history()
  await cluster.commit(row, 'new')
  await cluster.clock.advance(TAIL_MS + 10)
  cluster.journal.goBack(before.rows, before.nextXid)
  await cluster.clock.advance(TAIL_MS + 10)
  t.ok(replica.events.includes('discontinuity'))
  t.match(cluster.journal.identity.id, /-renewed$/)
})

t.test('an entry stale by time is not served either once the barrier is too old', async (t) => {
  const { cluster, row, read } = await startWarm(t)
  cluster.clock.stall(POLICY.ttlMs)
  await cluster.clock.advance(TAIL_MS)
  t.equal(await read(), 'old: stale in memory')
  await cluster.clock.advance(0)
  cluster.network.hold(/→ replica 1/)
  await cluster.clock.advance(POLICY.ttlMs)
  await cluster.commit(row, 'new')
  t.equal(await read(), 'new: miss')
})
