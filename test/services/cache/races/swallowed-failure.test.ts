import { Redis } from 'ioredis'
import t from 'tap'
import { type Cluster, startCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { drain } from '../../../helpers/cache/fake-clock.js'
import type { HeldRedis } from '../../../helpers/cache/held-redis.js'
import { BOUND_MS, entry, HeldLoader, tagOf } from '../../../helpers/cache/replica.js'
import { until } from '../../../helpers/deadline.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
const direct = new Redis(server.url)
t.teardown(async () => {
  direct.disconnect()
  await server.stop()
})

const a = entry('a')

/** A writer, and a reader that hears nothing; both, and Redis, have `old`. */
async function startWarm(t: Parameters<typeof startCluster>[0]) {
  const cluster = await startCluster(t, server, { replicas: 2 })
  cluster.network.hold(/notification/)
  const [writer, reader] = cluster.members
  if (writer === undefined || reader === undefined) throw new Error('two replicas')
  const row = new HeldLoader('old')
  await writer.cache.getOrLoad(a, row.load)
  return { cluster, writer, reader, row }
}

async function tagValue({ journal }: Cluster<HeldRedis>, name: string): Promise<string | null> {
  const [key = ''] = await direct.keys(`*:${journal.identity.id}:*:tag:${tagOf(name)}`)
  return direct.get(key)
}

t.test(
  'a raise that Redis refuses: acknowledged, and this replica does without Redis until it has resynced',
  async (t) => {
    const { cluster, writer, row } = await startWarm(t)
    cluster.network.hold(/Postgres → replica 1: resync|notification/)
    writer.redis.refuse('RAISE')
    await write(writer, row, 'new')
    t.equal(writer.cache.state, 'memory-only')
    const looks = writer.redis.count('MGET')
    t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'new: miss')
    t.equal(writer.redis.count('MGET'), looks, 'Redis was not asked')
    t.match(await tagValue(cluster, 'a'), /^0:/, 'Redis does not know of the write yet')
    cluster.network.release()
    await until(() => writer.cache.state === 'coherent', { describe: 'the resync' })
    t.match(await tagValue(cluster, 'a'), new RegExp(`^${cluster.journal.versionOf(tagOf('a'))}:`))
  },
)

t.test('the others hear of the write from the journal, and raise Redis themselves', async (t) => {
  const { cluster, writer, reader, row } = await startWarm(t)
  cluster.network.hold(/Postgres → replica 1: resync/)
  writer.redis.refuse('RAISE')
  await write(writer, row, 'new')
  await until(async () => (await tagValue(cluster, 'a'))?.startsWith('0:') === false, { describe: 'Redis is raised' })
  t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a resync raises page by page all that was changed, and requests get in between', async (t) => {
  const { cluster, writer, row } = await startWarm(t)
  const names = Array.from({ length: 1_200 }, (_, n) => tagOf(`n${String(n).padStart(4, '0')}`))
  cluster.network.hold(/Postgres → replica 1: resync page|notification|tail/)
  writer.redis.refuse('RAISE')
  await write(writer, row, 'new', [...names, tagOf('a')])
  const isHeld = (): boolean => cluster.network.waiting.some(({ label }) => label.includes('resync page'))
  await until(isHeld, { describe: 'a first page' })
  t.same(writer.cache.health().resync, { done: 0, total: 1_201 })
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'new: miss')
  cluster.network.hold(/notification|tail/)
  cluster.network.deliver(/resync/)
  await until(() => writer.cache.state === 'coherent', { describe: 'the resync' })
  t.match(await tagValue(cluster, 'n0000'), /^[1-9]/)
  t.match(await tagValue(cluster, 'n1199'), /^[1-9]/)
})

t.test('a replica does not read Redis before its first resync', async (t) => {
  const { cluster, writer, row } = await startWarm(t)
  writer.redis.refuse('RAISE')
  cluster.network.hold(/Postgres → replica [13]: resync|notification/)
  await write(writer, row, 'new')
  const opening = cluster.add()
  await until(() => cluster.network.waiting.some(({ label }) => label.includes('replica 3: resync')), {
    describe: 'it resyncs',
  })
  cluster.network.release()
  const restarted = await opening
  t.equal(
    words(await restarted.cache.getOrLoad(a, row.load)),
    'new: miss',
    'it has heard of nothing, and Redis is raised',
  )
})

t.test('a write that was heard of before it was raised is not acknowledged before Redis has answered', async (t) => {
  const { cluster, writer, row } = await startWarm(t)
  cluster.network.release()
  const raise = writer.redis.holdRequest('RAISE')
  const raised = await cluster.commit(row, 'new')
  await raise.caught
  let isAcknowledged = false
  const acknowledging = writer.cache.raise(raised).then(() => (isAcknowledged = true))
  await drain()
  t.notOk(isAcknowledged)
  raise.release()
  await acknowledging
  t.match(await tagValue(cluster, 'a'), /^[1-9]/)
})

t.test('a raise that takes too long fails, and may reach Redis all the same', async (t) => {
  const { writer, row } = await startWarm(t)
  const raise = writer.redis.holdRequest('RAISE')
  const writing = write(writer, row, 'new')
  await raise.caught
  raise.timeOut()
  await writing
  t.not(writer.cache.state, 'coherent')
  await until(() => writer.cache.state === 'coherent', { describe: 'the resync' })
  raise.release()
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'new: miss')
  t.same(await verdicts(writer, a), { memory: 'served (fresh)', redis: 'served (fresh)' })
})

t.test('while a raise is under way or lost, nobody vouches for Redis', async (t) => {
  const { clock, network, members } = await startCluster(t, server)
  const [replica] = members
  if (replica === undefined) return
  await clock.advance(BOUND_MS / 3 + 1)
  t.equal(replica.redis.count('VOUCH'), 1, 'at the end of a tail')
  const raise = replica.redis.holdRequest('RAISE')
  const writing = write(replica, new HeldLoader('old'), 'new')
  await raise.caught
  await clock.advance(BOUND_MS / 3 + 1)
  t.equal(replica.redis.count('VOUCH'), 1)
  network.hold(/resync/)
  raise.timeOut()
  await writing
  await clock.advance(BOUND_MS / 3 + 1)
  t.equal(replica.redis.count('VOUCH'), 1)
})
