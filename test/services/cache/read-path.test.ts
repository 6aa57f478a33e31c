import t from 'tap'
import { startMemoryCluster, startModelCluster, verdicts, words } from '../../helpers/cache/cluster.js'
import { entry, HeldLoader, POLICY, text } from '../../helpers/cache/replica.js'

const a = entry('a')

async function startOne(t: Parameters<typeof startModelCluster>[0]) {
  const cluster = await startModelCluster(t)
  const [replica] = cluster.members
  if (replica === undefined) throw new Error('one replica')
  return { ...cluster, replica, cache: replica.cache }
}

t.test('a miss loads, then memory answers, and another replica is answered by Redis', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [first, second] = cluster.members
  const row = new HeldLoader('row')
  t.equal(words(await first?.cache.getOrLoad(a, row.load)), 'row: miss')
  t.equal(words(await first?.cache.getOrLoad(a, row.load)), 'row: hit in memory')
  t.equal(words(await second?.cache.getOrLoad(a, row.load)), 'row: hit in redis')
  t.equal(words(await second?.cache.getOrLoad(a, row.load)), 'row: hit in memory')
  t.equal(row.count, 1)
  t.match(first?.cache.stats(), { hits: 1, misses: 1, memory_hits: 1, loads: 1 })
  t.match(second?.cache.stats(), { hits: 2, misses: 0, redis_hits: 1, loads: 0 })
})

t.test('a missing row is kept as a negative entry, for a short time and without grace', async (t) => {
  const { clock, cache } = await startOne(t)
  const row = new HeldLoader()
  t.equal(words(await cache.getOrLoad(a, row.load)), 'no row: miss')
  t.equal(words(await cache.getOrLoad(a, row.load)), 'no row: hit in memory')
  t.match(cache.stats(), { negative_hits: 1 })
  clock.stall(POLICY.negativeTtlMs)
  await clock.advance(100)
  row.row = text('row')
  t.equal(words(await cache.getOrLoad(a, row.load)), 'row: miss')
})

t.test('an entry stale by time is served during its grace, and one refresh runs', async (t) => {
  const { clock, cache } = await startOne(t)
  const row = new HeldLoader('old')
  await cache.getOrLoad(a, row.load)
  clock.stall(POLICY.ttlMs)
  await clock.advance(500)
  row.row = text('new')
  row.hold()
  for (let n = 0; n < 5; n++) t.equal(words(await cache.getOrLoad(a, row.load)), 'old: stale in memory')
  t.equal(cache.peek(a), undefined, 'no fresh hit')
  await row.underWay(1)
  row.release()
  await clock.advance(0)
  t.equal(words(await cache.getOrLoad(a, row.load)), 'new: hit in memory')
  t.equal(row.count, 2)
})

t.test('a refresh that fails leaves the entry, and the next read tries again', async (t) => {
  const { clock, cache } = await startOne(t)
  await cache.getOrLoad(a, new HeldLoader('old').load)
  clock.stall(POLICY.ttlMs)
  await clock.advance(500)
  t.equal(words(await cache.getOrLoad(a, () => Promise.reject(new Error('no')))), 'old: stale in memory')
  await clock.advance(0)
  t.equal(words(await cache.getOrLoad(a, new HeldLoader('new').load)), 'old: stale in memory')
  await clock.advance(0)
  t.equal(words(await cache.getOrLoad(a, new HeldLoader('never').load)), 'new: hit in memory')
})

t.test('the fresh time is shortened by up to a tenth', async (t) => {
  for (const [random, share] of [
    [0, 1],
    [0.5, 0.95],
    [0.999, 0.9],
  ] as const) {
    const { members } = await startMemoryCluster(t, { engine: { random: () => random } })
    const lookup = await members[0]?.cache.getOrLoad(a, new HeldLoader('row').load)
    t.ok(Math.abs((lookup?.ttlMs ?? 0) - share * POLICY.ttlMs) < 100, `${lookup?.ttlMs} ms`)
  }
})

t.test('several entries: those in memory need nothing, the others one round trip and one load', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [warm, replica] = cluster.members
  const names = ['a', 'b', 'c', 'd']
  await warm?.cache.getOrLoad(entry('b'), new HeldLoader('redis-b').load)
  await replica?.cache.getOrLoad(entry('a'), new HeldLoader('memory-a').load)
  const loads: number[][] = []
  const lookups = await replica?.cache.getMany(
    names.map((name) => entry(name)),
    async (missing) => {
      loads.push([...missing])
      return [text('loaded-c'), undefined]
    },
  )
  t.same(lookups?.map(words), ['memory-a: hit in memory', 'redis-b: hit in redis', 'loaded-c: miss', 'no row: miss'])
  t.same(loads, [[2, 3]])
  t.same(await replica?.cache.getMany([], () => Promise.reject(new Error('not called'))), [])
  t.equal(words(replica?.cache.peek(entry('c'))), 'loaded-c: hit in memory')
  t.equal(words(replica?.cache.peek(entry('d'))), 'no row: hit in memory')
})

t.test('get answers from the tiers and never loads', async (t) => {
  const cluster = await startModelCluster(t, { replicas: 2 })
  const [first, second] = cluster.members
  t.equal(await first?.cache.get(a), undefined)
  await first?.cache.getOrLoad(a, new HeldLoader('row').load)
  t.equal(words(await first?.cache.get(a)), 'row: hit in memory')
  t.equal(words(await second?.cache.get(a)), 'row: hit in redis')
})

t.test('set keeps a document that is current, in both tiers', async (t) => {
  const { replica, cache } = await startOne(t)
  t.ok(await cache.set(a, text('set')))
  t.same(await verdicts(replica, a), { memory: 'served (fresh)', redis: 'served (fresh)' })
  t.equal(words(await cache.get(a)), 'set: hit in memory')
})

t.test('clear empties everything by one journal row', async (t) => {
  const { replica, cache } = await startOne(t)
  for (const name of ['a', 'b', 'c']) await cache.set(entry(name), text(name))
  t.equal((await cache.clear()).length, 1)
  for (const name of ['a', 'b', 'c']) t.equal(await cache.get(entry(name)), undefined)
  t.match((await verdicts(replica, a)).memory, /not/)
  t.equal(cache.stats().memory_cache_size, 0)
})

t.test('inspect tells per tier what is held and why it would be served or not', async (t) => {
  const { replica, cache, clock } = await startOne(t)
  t.same(await verdicts(replica, a), { memory: 'not in memory', redis: 'not in Redis' })
  await cache.set(a, text('row'))
  const { memory, redis } = await cache.inspect(a)
  t.match(memory, { present: true, state: 'fresh', negative: false, age_ms: 0 })
  t.match(redis.stamps[0], { tag: a.tags[0], stamp: /^0:/, current: /^0:/ })
  clock.stall(POLICY.ttlMs + 1)
  await clock.advance(500)
  t.same(await verdicts(replica, a), { memory: 'served (stale)', redis: 'served (stale)' })
  clock.stall(POLICY.graceMs)
  await clock.advance(500)
  t.equal((await verdicts(replica, a)).memory, 'not served: its lifetime is over')
})

t.test('a loader that throws: the error is thrown on, and nothing is kept', async (t) => {
  const { replica, cache } = await startOne(t)
  await t.rejects(
    cache.getOrLoad(a, () => Promise.reject(new Error('no rows today'))),
    /no rows today/,
  )
  t.same(await verdicts(replica, a), { memory: 'not in memory', redis: 'not in Redis' })
  t.equal(words(await cache.getOrLoad(a, new HeldLoader('row').load)), 'row: miss')
})

t.test('disabled: every read loads, nothing is kept, and no journal is followed', async (t) => {
  const { members } = await startMemoryCluster(t, { engine: { isEnabled: false } })
  const [replica] = members
  const row = new HeldLoader('row')
  for (let n = 0; n < 2; n++) t.equal(words(await replica?.cache.getOrLoad(a, row.load)), 'row: bypass')
  t.same((await replica?.cache.getMany([a], async () => [text('x')]))?.map(words), ['x: bypass'])
  t.notOk(await replica?.cache.set(a, text('row')))
  t.equal(replica?.cache.state, 'disabled')
  t.equal(replica?.store.sessions.size, 0)
})
