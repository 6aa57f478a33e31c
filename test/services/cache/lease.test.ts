import t from 'tap'
import { type Cluster, startCluster, startModelCluster, words } from '../../helpers/cache/cluster.js'
import type { ModelRedisClient } from '../../helpers/cache/model-redis-client.js'
import { entry, HeldLoader, LEASE_MS, text } from '../../helpers/cache/replica.js'
import { startRedis } from '../../helpers/redis.js'

const a = entry('a')

/** Time goes on in small steps until all of these have settled. */
async function settled<T>(
  cluster: Cluster<ModelRedisClient>,
  readings: readonly Promise<T>[],
  limitMs: number,
): Promise<T[]> {
  const all = Promise.all(readings)
  const open = new Set([all])
  void all.finally(() => open.clear())
  for (let passed = 0; open.size > 0 && passed < limitMs; passed += 10) await cluster.clock.advance(10)
  return all
}

t.test('a cold key read by 4 replicas, 250 times each: one load', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 4 })
  const row = new HeldLoader('row')
  row.hold()
  const readings = cluster.members.flatMap(({ cache }) =>
    Array.from({ length: 250 }, () => cache.getOrLoad(a, row.load)),
  )
  await row.underWay(1)
  await cluster.clock.advance(50)
  row.release()
  const lookups = await settled(cluster, readings, LEASE_MS)
  t.equal(row.count, 1)
  t.ok(lookups.every((lookup) => lookup.document?.json === '"row"'))
  for (const { cache } of cluster.members) t.equal(words(cache.peek(a)), 'row: hit in memory')
})

t.test('the holder of the lease dies: another takes over when the lease ends, and nobody waits longer', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 3 })
  const [dying, ...others] = cluster.members
  if (dying === undefined) return
  const lost = new HeldLoader('never')
  lost.hold()
  void dying.cache.getOrLoad(a, lost.load)
  await lost.underWay(1)
  dying.redis.kill()
  const row = new HeldLoader('row')
  const startedAt = cluster.clock.now()
  const lookups = await settled(
    cluster,
    others.map(({ cache }) => cache.getOrLoad(a, row.load)),
    2 * LEASE_MS,
  )
  t.same(
    lookups.map((lookup) => lookup.document?.json),
    ['"row"', '"row"'],
  )
  t.equal(row.count, 1)
  t.ok(cluster.clock.now() - startedAt <= LEASE_MS + 200, `${cluster.clock.now() - startedAt} ms`)
})

t.test('who has looked before another replica stored its load, and begins after that, loads nothing', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const cluster = await startCluster(t, server, { replicas: 2 })
  const [first, late] = cluster.members
  if (first === undefined || late === undefined) return
  const row = new HeldLoader('row')
  const begin = late.redis.holdRequest('BEGIN')
  const reading = late.cache.getOrLoad(a, row.load)
  await begin.caught
  t.equal(words(await first.cache.getOrLoad(a, row.load)), 'row: miss')
  begin.release()
  t.equal(words(await reading), 'row: hit in redis')
  t.equal(row.count, 1)
  t.equal(late.redis.count('FILL') + late.redis.count('RELEASE'), 0, 'and holds no lease')

  row.row = text('new')
  await cluster.commit(row, 'new')
  await late.cache.invalidate(a.tags)
  t.equal(words(await late.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('a load that fails gives its lease back at once', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [first, second] = cluster.members
  await t.rejects(async () => first?.cache.getOrLoad(a, () => Promise.reject(new Error('no database'))), /no database/)
  const row = new HeldLoader('row')
  t.equal(words(await second?.cache.getOrLoad(a, row.load)), 'row: miss')
})

t.test('a reader that waited a whole lease loads by itself', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [slow, waiting] = cluster.members
  if (slow === undefined || waiting === undefined) return
  const row = new HeldLoader('row')
  row.hold()
  void slow.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  const own = new HeldLoader('own')
  const [lookup] = await settled(cluster, [waiting.cache.getOrLoad(a, own.load)], 2 * LEASE_MS)
  t.equal(words(lookup), 'own: miss')
  row.release()
})

t.test('a read that takes over from a detached load of its own replica does not wait for its lease', async (t) => {
  const cluster = await startModelCluster(t)
  const [replica] = cluster.members
  if (replica === undefined) return
  const row = new HeldLoader('old')
  row.hold()
  void replica.cache.getOrLoad(a, row.load)
  await row.underWay(1)
  await cluster.commit(row, 'new')
  await cluster.clock.advance(0)
  const fresh = new HeldLoader('new')
  t.equal(words(await replica.cache.getOrLoad(a, fresh.load)), 'new: miss')
  row.release()
})
