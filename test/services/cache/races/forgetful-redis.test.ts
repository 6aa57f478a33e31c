import { Redis } from 'ioredis'
import t from 'tap'
import { startCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { entry, HeldLoader, tagOf } from '../../../helpers/cache/replica.js'
import { until } from '../../../helpers/deadline.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
const direct = new Redis(server.url, { retryStrategy: () => 20 })
direct.on('error', () => {})
t.teardown(async () => {
  direct.disconnect()
  await server.stop()
})

const a = entry('a')

async function startWarm(t: Parameters<typeof startCluster>[0], value = 'old') {
  const cluster = await startCluster(t, server, { replicas: 2 })
  cluster.network.hold(/notification → replica 2/)
  const [writer, reader] = cluster.members
  if (writer === undefined || reader === undefined) throw new Error('two replicas')
  const row = new HeldLoader(value)
  await writer.cache.getOrLoad(a, row.load)
  return { cluster, writer, reader, row }
}

t.test('an entry whose tag was evicted is a miss', async (t) => {
  const { cluster, reader, row } = await startWarm(t)
  const [key = ''] = await direct.keys(`*:${cluster.journal.identity.id}:*:tag:${tagOf('a')}`)
  await direct.del(key)
  await cluster.commit(row, 'new')
  await direct.del(key)
  t.equal(words(await reader.cache.get(a)), 'nothing')
  t.equal((await verdicts(reader, a)).redis, 'not served: a tag has moved on')
  t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'new: miss')
  t.equal(row.count, 2)
})

t.test('an emptied Redis: misses, and a load under way is refused', async (t) => {
  const { writer, reader, row } = await startWarm(t)
  row.hold()
  const reading = reader.cache.getOrLoad(entry('b'), row.load)
  await row.underWay(1)
  await direct.flushall()
  row.land()
  await row.underWay(1)
  row.release()
  t.equal(words(await reading), 'old: miss')
  t.equal(row.count, 3)
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'old: hit in memory')
  t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'old: miss')
})

t.test(
  'Redis comes back with an old copy: it is not read before a resync, and nothing old is valid after',
  async (t) => {
    const { cluster, writer, reader, row } = await startWarm(t)
    await direct.save()
    await write(writer, row, 'new')
    t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'new: miss')
    cluster.network.hold(/resync|notification → replica 2/)
    await server.kill()
    await server.restart()
    await until(async () => (await direct.dbsize()) > 0, { describe: 'Redis has its old copy' })
    await until(() => reader.redis.status === 'ready' && writer.redis.status === 'ready', {
      describe: 'both are connected',
    })
    t.equal(reader.cache.state, 'memory-only')
    const third = entry('a', { domain: 'of a replica that has forgotten what it heard' })
    t.equal(words(await writer.cache.getOrLoad(third, row.load)), 'new: miss')
    cluster.network.release()
    for (const { cache } of cluster.members) await until(() => cache.state === 'coherent', { describe: 'the resync' })
    const restarted = await cluster.add()
    t.equal(words(await restarted.cache.getOrLoad(a, row.load)), 'new: miss')
  },
)

t.test('entries made over another database are not read', async (t) => {
  const { writer, row } = await startWarm(t, 'first-database')
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'first-database: hit in memory')
  const other = await startWarm(t, 'other-database')
  t.equal(other.row.count, 1)
  t.equal(words(await other.reader.cache.getOrLoad(a, other.row.load)), 'other-database: hit in redis')
})
