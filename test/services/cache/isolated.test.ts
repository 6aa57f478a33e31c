import t from 'tap'
import { startMemoryCluster, words } from '../../helpers/cache/cluster.js'
import { BOUND_MS, entry, HeldLoader } from '../../helpers/cache/replica.js'

const STALE_IF_ERROR_MS = 60_000
const a = entry('a')

/** A replica that has `old` in memory, and neither journal nor Redis. */
async function startIsolated(t: Parameters<typeof startMemoryCluster>[0], address = a) {
  const cluster = await startMemoryCluster(t)
  const [replica] = cluster.members
  if (replica === undefined) throw new Error('one replica')
  const row = new HeldLoader('old')
  await replica.cache.getOrLoad(address, row.load)
  cluster.network.hold(/→ replica 1/)
  await cluster.clock.advance(BOUND_MS)
  t.equal(replica.cache.state, 'isolated')
  return { ...cluster, replica, row }
}

const failing = (): Promise<never> => Promise.reject(new Error('the database does not answer'))

t.test('an isolated replica asks the database', async (t) => {
  const { replica, row } = await startIsolated(t)
  row.row = new HeldLoader('new').row
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('when the database fails it answers from memory, and says so', async (t) => {
  const { replica } = await startIsolated(t)
  t.equal(words(await replica.cache.getOrLoad(a, failing)), 'old: stale-if-error in memory')
  t.same((await replica.cache.getMany([a], failing)).map(words), ['old: stale-if-error in memory'])
  await t.rejects(replica.cache.getOrLoad(entry('never read'), failing), /does not answer/)
  await t.rejects(replica.cache.getMany([a, entry('never read')], failing), /does not answer/)
})

t.test('when the database hangs it waits at most H', async (t) => {
  const { clock, replica, row } = await startIsolated(t)
  row.hold()
  const reading = replica.cache.getOrLoad(a, row.load)
  await clock.advance(BOUND_MS)
  t.equal(words(await reading), 'old: stale-if-error in memory')
  row.release()
})

t.test('it stops once the limit after the loss of the barrier is over', async (t) => {
  const { clock, replica } = await startIsolated(t)
  clock.stall(STALE_IF_ERROR_MS)
  t.equal(words(await replica.cache.getOrLoad(a, failing)), 'old: stale-if-error in memory')
  clock.stall(1)
  await t.rejects(replica.cache.getOrLoad(a, failing), /does not answer/)
})

t.test('credentials are never answered that way', async (t) => {
  const token = entry('token', { mayServeOnError: false })
  const { replica } = await startIsolated(t, token)
  await t.rejects(replica.cache.getOrLoad(token, failing), /does not answer/)
})

t.test('a replica that follows the journal does not hide a failing database', async (t) => {
  const { members } = await startMemoryCluster(t)
  await t.rejects(async () => members[0]?.cache.getOrLoad(a, failing), /does not answer/)
})
