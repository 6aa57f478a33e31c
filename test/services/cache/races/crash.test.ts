import t from 'tap'
import { startCluster, verdicts, words } from '../../../helpers/cache/cluster.js'
import { until } from '../../../helpers/deadline.js'
import { BOUND_MS, entry, HeldLoader, tagOf, text } from '../../../helpers/cache/replica.js'
import { startRedis } from '../../../helpers/redis.js'

const server = await startRedis()
t.teardown(() => server.stop())

const a = entry('a')

async function startWarm(t: Parameters<typeof startCluster>[0]) {
  const cluster = await startCluster(t, server, { replicas: 2 })
  const row = new HeldLoader('old')
  for (const { cache } of cluster.members) await cache.getOrLoad(a, row.load)
  return { cluster, row }
}

t.test('a writer that dies after its commit: the others hear of it, and one of them raises Redis', async (t) => {
  const { cluster, row } = await startWarm(t)
  await cluster.commit(row, 'new')
  for (const member of cluster.members) {
    const heard = async (): Promise<boolean> => (await verdicts(member, a)).memory === 'not in memory'
    await until(heard, { describe: 'the row is heard of' })
    await until(async () => (await verdicts(member, a)).redis === 'not served: a tag has moved on', {
      describe: 'Redis is raised',
    })
    t.equal(words(await cluster.members[0]?.cache.get(a)), 'nothing')
  }
})

t.test('a writer that dies after its commit, and its notification is lost: the tail finds the row', async (t) => {
  const { cluster, row } = await startWarm(t)
  for (const { store } of cluster.members) for (const session of store.sessions) session.isDeaf = true
  await cluster.commit(row, 'new')
  await cluster.clock.advance(BOUND_MS / 3 + 1)
  for (const { cache } of cluster.members) t.match(words(await cache.getOrLoad(a, row.load)), /^new: /)
  t.equal(row.count, 2)
})

t.test('a writer that dies before its commit leaves no invalidation behind', async (t) => {
  const { cluster, row } = await startWarm(t)
  const transaction = cluster.journal.begin()
  await transaction.raise([tagOf('a')])
  row.row = text('never')
  transaction.rollback()
  await cluster.clock.advance(BOUND_MS)
  for (const { cache } of cluster.members) t.equal(words(await cache.getOrLoad(a, row.load)), 'old: hit in memory')
  t.equal(row.count, 1)
})
