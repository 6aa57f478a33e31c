import { Redis } from 'ioredis'
import t from 'tap'
import type { Test } from 'tap'
import {
  type Cluster,
  startCluster,
  startMemoryCluster,
  verdicts,
  words,
  write,
} from '../../../helpers/cache/cluster.js'
import type { HeldRedis } from '../../../helpers/cache/held-redis.js'
import { entry, HeldLoader, tagOf } from '../../../helpers/cache/replica.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
const direct = new Redis(server.url)
t.teardown(async () => {
  direct.disconnect()
  await server.stop()
})

const a = entry('a')

/** Two replicas; the second hears nothing from the journal. */
async function startDeaf(t: Test): Promise<{ cluster: Cluster<HeldRedis>; writer: Member; reader: Member }> {
  const cluster = await startCluster(t, server, { replicas: 2 })
  cluster.network.hold(/notification → replica 2/)
  const [writer, reader] = cluster.members
  if (writer === undefined || reader === undefined) throw new Error('two replicas')
  return { cluster, writer, reader }
}
type Member = Cluster<HeldRedis>['members'][number]

t.test('a load that began before a write is refused by Redis, and repeated once', async (t) => {
  const { writer, reader } = await startDeaf(t)
  const row = new HeldLoader('old')
  row.hold()
  const begun = reader.redis.holdReply('BEGIN')
  const reading = reader.cache.getOrLoad(a, row.load)
  await begun.caught
  begun.release()
  await row.underWay(1)
  await write(writer, row, 'new')
  row.land()
  await row.underWay(1)
  row.release()
  t.equal(words(await reading), 'new: miss')
  t.equal(row.count, 2)
  t.equal(reader.cache.stats().refused_fills, 1)
  t.same(await verdicts(reader, a), { memory: 'served (fresh)', redis: 'served (fresh)' })
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'new: hit in redis')
})

t.test('a fill that is refused twice is answered, and kept in no tier', async (t) => {
  const { writer, reader } = await startDeaf(t)
  const row = new HeldLoader('old')
  row.hold()
  const reading = reader.cache.getOrLoad(a, row.load)
  for (const value of ['newer', 'newest']) {
    await row.underWay(1)
    await write(writer, row, value)
    row.land()
  }
  t.equal(words(await reading), 'newer: miss')
  t.equal(row.count, 2)
  t.same(await verdicts(reader, a), { memory: 'not in memory', redis: 'not in Redis' })
})

t.test('several entries: a load that began before a write is refused by Redis and kept nowhere', async (t) => {
  const { writer, reader } = await startDeaf(t)
  const row = new HeldLoader('old')
  row.hold()
  const reading = reader.cache.getMany([a, entry('b')], async () => [await row.load(), undefined])
  await row.underWay(1)
  await write(writer, row, 'new')
  row.land()
  t.same((await reading).map(words), ['old: miss', 'no row: miss'])
  t.same(await verdicts(reader, a), { memory: 'not in memory', redis: 'not in Redis' })
  t.equal((await reader.cache.inspect(entry('b'))).redis.verdict, 'served (fresh)', 'the other one is kept')
})

t.test('without Redis, a load under way when the write is heard of is answered and not kept', async (t) => {
  const { members } = await startMemoryCluster(t)
  const [replica] = members
  if (replica === undefined) return
  const row = new HeldLoader('old')
  row.hold()
  const reading = replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await write(replica, row, 'new')
  row.land()
  t.equal(words(await reading), 'old: miss')
  t.equal((await verdicts(replica, a)).memory, 'not in memory')
  row.release()
  t.equal(words(await replica.cache.getOrLoad(a, row.load)), 'new: miss')
  t.equal(row.count, 2)
})

t.test('a tag evicted during a load refuses the fill: a fill makes no tag', async (t) => {
  const { writer, reader } = await startDeaf(t)
  const row = new HeldLoader('old')
  row.hold()
  const reading = reader.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await write(writer, row, 'new')
  t.equal(await direct.del(...(await tagKeys(writer))), 1)
  row.land()
  await row.underWay(1)
  row.release()
  t.equal(words(await reading), 'new: miss')
  t.equal(row.count, 2)
})

t.test('a tag that was evicted and comes back does not revive an entry', async (t) => {
  const { writer, reader } = await startDeaf(t)
  const row = new HeldLoader('old')
  await writer.cache.getOrLoad(a, row.load)
  await write(writer, row, 'new')
  await direct.del(...(await tagKeys(writer)))
  // The tag comes back at version 0, by a replica that has not heard of the write.
  await reader.cache.getOrLoad({ ...entry('list'), tags: a.tags }, new HeldLoader('list').load)
  t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'new: miss')
  t.equal(row.count, 2)
})

/** The key of the tag of `a` in this cluster. */
async function tagKeys({ store }: Member): Promise<string[]> {
  const { id } = await store.identity()
  return direct.keys(`roundhouse:*:${id}:*:tag:${tagOf('a')}`)
}
