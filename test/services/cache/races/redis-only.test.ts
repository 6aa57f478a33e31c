import t from 'tap'
import { startModelCluster, words, write } from '../../../helpers/cache/cluster.js'
import { BOUND_MS, COMMAND_MS, entry, HeldLoader } from '../../../helpers/cache/replica.js'

const a = entry('a')
const b = entry('b')

/** Replica 1 follows the journal and vouches; replica 2 has lost it for longer than H. Redis and both memories have `old`. */
async function startHalf(t: Parameters<typeof startModelCluster>[0]) {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [whole, half] = cluster.members
  if (whole === undefined || half === undefined) throw new Error('two replicas')
  const row = new HeldLoader('old')
  await cluster.clock.advance(BOUND_MS / 3)
  for (const { cache } of cluster.members) await cache.getOrLoad(a, row.load)
  cluster.network.hold(/(Postgres|notification) → replica 2/)
  await cluster.clock.advance(BOUND_MS + BOUND_MS / 3)
  return { cluster, whole, half, row }
}

t.test('a replica that has lost the journal answers from Redis while another one vouches for it', async (t) => {
  const { whole, half, row } = await startHalf(t)
  t.equal(half.cache.state, 'redis-only')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'old: hit in redis', 'memory is bypassed')
  await write(whole, row, 'new')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: hit in redis')
  t.equal(row.count, 2)
})

t.test('without a voucher it does not trust Redis, however live it is', async (t) => {
  const { cluster, whole, half, row } = await startHalf(t)
  await whole.cache.close()
  await cluster.clock.advance(BOUND_MS)
  t.equal(half.cache.state, 'isolated')
  t.equal(half.redis.status, 'ready')
  await cluster.commit(row, 'new')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a voucher is never believed for longer than H after its tail began', async (t) => {
  const { cluster, half, row } = await startHalf(t)
  // Nobody raises this one: its writer died, and replica 1 hears nothing any more.
  cluster.network.hold(/replica 1|(Postgres|notification) → replica 2/)
  await cluster.commit(row, 'new')
  await cluster.clock.advance(BOUND_MS)
  t.equal(half.cache.state, 'isolated')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a voucher held up on its way does not vouch for later', async (t) => {
  const { cluster, half, row } = await startHalf(t)
  cluster.network.hold(/replica 1 → Redis|(Postgres|notification) → replica 2/)
  await cluster.clock.advance(BOUND_MS / 3 + 1)
  const held = cluster.network.waiting.filter(({ label }) => label === 'replica 1 → Redis')
  t.ok(held.length > 0, 'a voucher is on its way')
  await cluster.commit(row, 'new')
  await cluster.clock.advance(BOUND_MS)
  cluster.network.deliver(/replica 1 → Redis/)
  await cluster.clock.advance(BOUND_MS / 6)
  t.equal(half.cache.state, 'isolated')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a replica without the journal learns of a clear by the voucher', async (t) => {
  const { cluster, whole, half, row } = await startHalf(t)
  row.row = new HeldLoader('new').row
  await whole.cache.clear()
  await cluster.clock.advance(BOUND_MS)
  t.equal(half.cache.state, 'redis-only')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a replica whose raise failed does not vouch until it has resynced', async (t) => {
  const { cluster, whole, half, row } = await startHalf(t)
  await half.cache.getOrLoad(b, new HeldLoader('b').load)
  whole.redis.blackHole(true)
  const writing = write(whole, row, 'new')
  await cluster.clock.advance(COMMAND_MS)
  await writing
  t.equal(whole.cache.state, 'memory-only')
  await cluster.clock.advance(BOUND_MS)
  t.equal(half.cache.state, 'isolated', 'nobody vouches')
  t.equal(words(await half.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a read does not share what Redis answered before the read began', async (t) => {
  const { cluster, whole, half, row } = await startHalf(t)
  cluster.network.hold(/Redis → replica 2|(Postgres|notification) → replica 2/)
  const early = half.cache.getOrLoad(a, row.load)
  await cluster.clock.advance(0)
  await write(whole, row, 'new')
  const late = Array.from({ length: 3 }, () => half.cache.getOrLoad(a, row.load))
  cluster.network.hold(/(Postgres|notification) → replica 2/)
  cluster.network.deliver(/Redis → replica 2/)
  t.equal(words(await early), 'old: hit in redis', 'it began before the write')
  for (const reading of late) t.match(words(await reading), /^new:/)
  t.equal(row.count, 2)
})
