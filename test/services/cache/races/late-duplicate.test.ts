import { Redis } from 'ioredis'
import t from 'tap'
import { startCluster, startMemoryCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { entry, HeldLoader, tagOf } from '../../../helpers/cache/replica.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
const direct = new Redis(server.url)
t.teardown(async () => {
  direct.disconnect()
  await server.stop()
})

const a = entry('a')

t.test('an old invalidation that comes again changes nothing in Redis and drops nothing', async (t) => {
  const cluster = await startCluster(t, server, { replicas: 2 })
  const [writer, late] = cluster.members
  if (writer === undefined || late === undefined) return
  cluster.network.hold(/notification → replica 2/)
  const row = new HeldLoader('oldest')
  await write(writer, row, 'old')
  const old = { tag: tagOf('a'), version: cluster.journal.versionOf(tagOf('a')) }
  await write(writer, row, 'new')
  await writer.cache.getOrLoad(a, row.load)
  const [tagKey = ''] = await direct.keys(`*:${cluster.journal.identity.id}:*:tag:${tagOf('a')}`)
  const before = await direct.get(tagKey)
  await late.cache.raise([old])
  await late.cache.raise([old])
  t.equal(await direct.get(tagKey), before)
  t.equal(words(await late.cache.getOrLoad(a, row.load)), 'new: hit in redis')
  t.equal(row.count, 1)
})

t.test('an old invalidation heard again does not let an older load be kept', async (t) => {
  const { members, journal } = await startMemoryCluster(t)
  const [replica] = members
  if (replica === undefined) return
  const row = new HeldLoader('oldest')
  await write(replica, row, 'old')
  const old = { tag: tagOf('a'), version: journal.versionOf(tagOf('a')) }
  row.hold()
  const reading = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await write(replica, row, 'new')
  await replica.cache.raise([old])
  row.release()
  t.equal(words(await reading), 'old: miss')
  t.equal((await verdicts(replica, a)).memory, 'not in memory')
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('an old clear heard again does not bring back what a newer one emptied', async (t) => {
  const { members } = await startMemoryCluster(t)
  const [replica] = members
  if (replica === undefined) return
  const [old] = await replica.cache.clear()
  const row = new HeldLoader('old')
  row.hold()
  const reading = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await replica.cache.clear()
  row.row = new HeldLoader('new').row
  if (old !== undefined) await replica.cache.raise([old])
  row.release()
  await reading
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: miss')
})
