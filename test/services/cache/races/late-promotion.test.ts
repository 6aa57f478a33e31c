import t from 'tap'
import { startCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { entry, HeldLoader } from '../../../helpers/cache/replica.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
t.teardown(() => server.stop())

const a = entry('a')
const b = entry('b')

/** A replica with nothing in memory, on a Redis that has a and b; another one beside it. */
async function startWarm(t: Parameters<typeof startCluster>[0], engine: { expectsMisses?: boolean } = {}) {
  const cluster = await startCluster(t, server, { replicas: 2, engine })
  const [writer, reader] = cluster.members
  if (writer === undefined || reader === undefined) throw new Error('two replicas')
  const row = new HeldLoader('old')
  await writer.cache.getMany([a, b], async () => [await row.load(), row.row])
  return { cluster, writer, reader, row }
}

t.test('a reply of Redis that comes after the write was heard of is neither answered nor kept', async (t) => {
  const { writer, reader, row } = await startWarm(t)
  const reply = reader.redis.holdReply('MGET')
  const reading = reader.cache.getOrLoad(a, row.load)
  await reply.caught
  await write(writer, row, 'new')
  reply.release()
  t.equal(words(await reading), 'new: miss')
  t.equal(row.count, 2)
  t.same(await verdicts(reader, a), { memory: 'served (fresh)', redis: 'served (fresh)' })
})

t.test('so it is where the look is a begin', async (t) => {
  const { writer, reader, row } = await startWarm(t, { expectsMisses: true })
  const looks = reader.redis.count('MGET')
  t.equal(words(await reader.cache.getOrLoad(b, row.load)), 'old: hit in redis')
  const reply = reader.redis.holdReply('BEGIN')
  const reading = reader.cache.getOrLoad(a, row.load)
  await reply.caught
  await write(writer, row, 'new')
  reply.release()
  t.equal(words(await reading), 'new: miss')
  t.equal(row.count, 2)
  t.same(await verdicts(reader, b), { memory: 'served (fresh)', redis: 'served (fresh)' })
  t.equal(reader.redis.count('MGET'), looks + 1, 'asked by the inspection alone')
})

t.test('a reply for a look without a load, or for several entries, is treated alike', async (t) => {
  const { writer, reader, row } = await startWarm(t)
  // Reads of one run share a command.
  const reply = reader.redis.holdReply('MGET')
  const looking = reader.cache.get(a)
  const reading = reader.cache.getMany([a, b], () => Promise.resolve([row.row]))
  await reply.caught
  await write(writer, row, 'new')
  reply.release()
  t.equal(await looking, undefined)
  t.same((await reading).map(words), ['new: miss', 'old: hit in redis'])
  t.equal((await verdicts(reader, a)).memory, 'served (fresh)')
})

t.test('a reply that comes after a clear was heard of is neither answered nor kept', async (t) => {
  const { writer, reader, row } = await startWarm(t)
  // Reads of one run share a command.
  const reply = reader.redis.holdReply('MGET')
  const reading = reader.cache.getOrLoad(a, row.load)
  const looking = reader.cache.get(b)
  await reply.caught
  row.row = new HeldLoader('new').row
  await writer.cache.clear()
  reply.release()
  t.equal(words(await reading), 'new: miss')
  t.equal(await looking, undefined)
  t.same(await verdicts(reader, b), { memory: 'not in memory', redis: 'not in Redis' })
})

t.test('what Redis has is not answered below a version heard of from the journal, and is mended', async (t) => {
  const { cluster, writer, reader, row } = await startWarm(t)
  const raises = [writer.redis.holdRequest('RAISE'), reader.redis.holdRequest('RAISE')]
  await cluster.commit(row, 'new')
  for (const raise of raises) await raise.caught
  t.equal((await verdicts(reader, a)).redis, 'not served: behind what this replica has heard from the journal')
  t.equal(await reader.cache.get(a), undefined)
  t.equal(words(await reader.cache.getOrLoad(a, row.load)), 'new: miss')
  t.same(
    await verdicts(reader, a),
    { memory: 'served (fresh)', redis: 'served (fresh)' },
    'the load raised the tag itself',
  )
  t.equal(words(await writer.cache.getOrLoad(a, row.load)), 'new: hit in redis')
  t.equal(row.count, 2)
  for (const raise of raises) raise.release()
})

t.test('a read does not share what Redis answered before the read began', async (t) => {
  const { cluster, writer, reader, row } = await startWarm(t)
  cluster.network.hold(/notification → replica 2/)
  const reply = reader.redis.holdReply('MGET')
  const early = reader.cache.getOrLoad(a, row.load)
  await reply.caught
  await write(writer, row, 'new')
  const late = reader.cache.getOrLoad(a, row.load)
  reply.release()
  t.equal(words(await early), 'old: hit in redis', 'it began before the write')
  t.equal(words(await late), 'old: hit in memory', 'the journal has not told yet: within H, and not by Redis')
})
