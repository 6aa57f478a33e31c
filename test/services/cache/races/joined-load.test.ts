import t from 'tap'
import { startMemoryCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { BOUND_MS, entry, HeldLoader, tagOf } from '../../../helpers/cache/replica.js'

const a = entry('a')

async function startHeld(t: Parameters<typeof startMemoryCluster>[0], engine = {}) {
  const cluster = await startMemoryCluster(t, { engine })
  const [replica] = cluster.members
  if (replica === undefined) throw new Error('one replica')
  const row = new HeldLoader('old')
  row.hold()
  return { cluster, replica, row }
}

t.test('reads that miss together share one load', async (t) => {
  const { replica, row } = await startHeld(t)
  const readings = Array.from({ length: 100 }, () => replica.cache.getOrLoad(a, row.load))
  await row.underWay(1)
  row.release()
  const lookups = await Promise.all(readings)
  t.equal(row.count, 1)
  t.equal(lookups.filter(({ collapsed }) => collapsed).length, 99)
})

t.test('a read that starts after a write was heard of does not join a load that started before it', async (t) => {
  const { replica, row } = await startHeld(t)
  const early = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await write(replica, row, 'new')
  const late = replica.cache.getOrLoad(a, row.load)
  await row.underWay(2)
  row.release()
  t.same([words(await early), words(await late)], ['old: miss', 'new: miss'])
  t.equal(row.count, 2)
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: hit in memory')
})

t.test('the earlier load landing last does not replace what the later one kept', async (t) => {
  const { replica, row } = await startHeld(t)
  const early = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await write(replica, row, 'new')
  const fresh = new HeldLoader('new')
  t.equal(words(await replica.cache.getOrLoad(a, fresh.load)), 'new: miss')
  row.release()
  t.equal(words(await early), 'old: miss')
  t.equal(words(await replica.cache.getOrLoad(a, fresh.load)), 'new: hit in memory')
})

t.test('a clear during a load detaches it too', async (t) => {
  const { replica, row } = await startHeld(t)
  const early = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  row.row = new HeldLoader('new').row
  await replica.cache.clear()
  const late = replica.cache.getOrLoad(a, row.load)
  await row.underWay(2)
  row.land()
  t.equal(words(await early), 'old: miss')
  t.equal((await verdicts(replica, a)).memory, 'not in memory')
  row.release()
  t.equal(words(await late), 'new: miss')
})

t.test('with the journal lost, no read joins a load older than H', async (t) => {
  const { cluster, replica, row } = await startHeld(t)
  cluster.network.hold(/→ replica 1/)
  const early = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await cluster.commit(row, 'new')
  cluster.clock.stall(BOUND_MS)
  const late = replica.cache.getOrLoad(a, row.load)
  await row.underWay(2)
  row.release()
  t.same([words(await early), words(await late)], ['old: miss', 'new: miss'])
})

t.test('a running load hears of its tag even when all other entries of that tag have gone', async (t) => {
  const { replica, row } = await startHeld(t, { maxItems: 1 })
  const neighbour = { ...entry('neighbour'), tags: a.tags }
  await replica.cache.getOrLoad(neighbour, new HeldLoader('neighbour').load)
  const early = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await replica.cache.getOrLoad({ ...entry('other'), tags: [tagOf('other')] }, new HeldLoader('other').load)
  await write(replica, row, 'new')
  row.release()
  t.equal(words(await early), 'old: miss')
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: miss')
})
