import t from 'tap'
import { startModelCluster, words } from '../../helpers/cache/cluster.js'
import { BOUND_MS, COMMAND_MS, entry, HeldLoader } from '../../helpers/cache/replica.js'

t.test('Redis that stands still: one request waits for the time limit, the next ones do not', async (t) => {
  const { clock, server, members } = await startModelCluster(t)
  const [replica] = members
  if (replica === undefined) return
  server.pause()
  const row = new HeldLoader('row')
  const startedAt = clock.now()
  const reading = replica.cache.getOrLoad(entry('a'), row.load)
  await clock.advance(COMMAND_MS)
  t.equal(words(await reading), 'row: miss')
  t.equal(clock.now() - startedAt, COMMAND_MS)
  for (const name of ['b', 'c', 'd']) t.equal(words(await replica.cache.getOrLoad(entry(name), row.load)), 'row: miss')
  t.equal(replica.cache.stats().redis_errors, 1)
})

t.test('after five failures in a row Redis is out of use, until it answers and has been resynced', async (t) => {
  const { clock, server, members } = await startModelCluster(t)
  const [replica] = members
  if (replica === undefined) return
  server.pause()
  const row = new HeldLoader('row')
  void replica.cache.getOrLoad(entry('a'), row.load)
  for (let n = 0; n < 10; n++) await clock.advance(COMMAND_MS)
  t.equal(replica.cache.state, 'memory-only')
  t.ok(replica.events.includes('Redis lost'))
  t.equal(words(await replica.cache.getOrLoad(entry('b'), row.load)), 'row: miss')
  server.resume()
  for (let n = 0; n < 30; n++) await clock.advance(COMMAND_MS)
  t.equal(replica.cache.state, 'coherent')
  t.equal(words(await replica.cache.getOrLoad(entry('c'), row.load)), 'row: miss')
  t.equal((await replica.cache.inspect(entry('c'))).redis.verdict, 'served (fresh)')
})

t.test('each change of the state is told once', async (t) => {
  const { clock, server, members } = await startModelCluster(t)
  const [replica] = members
  if (replica === undefined) return
  t.same(replica.states, ['memory-only', 'coherent'])
  server.stop()
  await clock.advance(2 * BOUND_MS)
  server.start()
  await clock.advance(2 * BOUND_MS)
  t.same(replica.states, ['memory-only', 'coherent', 'memory-only', 'coherent'])
  const { stateChanges } = replica.cache.health()
  t.match(stateChanges, { coherent: 2, 'memory-only': 2 })
})

t.test(
  'a connection that closes: Redis is out of use at once, and not asked before a resync, however fast it is back',
  async (t) => {
    const { clock, server, network, members } = await startModelCluster(t)
    const [replica] = members
    if (replica === undefined) return
    const row = new HeldLoader('row')
    await replica.cache.getOrLoad(entry('a'), row.load)
    server.stop()
    await clock.advance(0)
    t.equal(replica.cache.state, 'memory-only')
    t.equal(replica.cache.health().redis, 'unavailable')
    network.hold(/resync/)
    server.start()
    replica.redis.connect()
    t.equal(words(await replica.cache.getOrLoad(entry('b'), row.load)), 'row: miss')
    t.equal(replica.cache.stats().redis_errors, 0)
    t.equal(server.keys().filter((key) => key.endsWith('entry:u/b')).length, 0)
  },
)
