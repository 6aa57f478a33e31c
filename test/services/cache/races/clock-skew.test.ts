import t from 'tap'
import { ProcessClock } from '../../../helpers/cache/fake-clock.js'
import { startModelCluster, verdicts, words, write } from '../../../helpers/cache/cluster.js'
import { ModelRedisClient } from '../../../helpers/cache/model-redis-client.js'
import { BOUND_MS, COMMAND_MS, entry, HeldLoader, openReplica, POLICY, text } from '../../../helpers/cache/replica.js'

const HOUR_MS = 3_600_000
const a = entry('a')

/** A replica whose wall clock is right, and one whose clock is off. */
async function startSkewed(t: Parameters<typeof startModelCluster>[0], wallSkewMs: number) {
  const cluster = await startModelCluster(t)
  const [right] = cluster.members
  if (right === undefined) throw new Error('one replica')
  const { clock: base, network, server, journal } = cluster
  const clock = new ProcessClock(base, { wallSkewMs })
  const name = 'replica 2'
  const redis = new ModelRedisClient({ server, clock: base, network, name, timeoutMs: COMMAND_MS })
  const store = journal.store({ network, name })
  const replica = await openReplica({ clock, journal: store, redis })
  t.teardown(() => replica.cache.close())
  await base.advance(0)
  return { cluster, right, wrong: { ...replica, store, redis } }
}

for (const skewMs of [HOUR_MS, -HOUR_MS]) {
  t.test(
    `a write by a replica ${skewMs > 0 ? 'an hour ahead' : 'an hour behind'} invalidates as any other`,
    async (t) => {
      const { cluster, right, wrong } = await startSkewed(t, skewMs)
      const row = new HeldLoader('oldest')
      for (const [writer, value] of [[wrong, 'old'] as const, [right, 'new'] as const, [wrong, 'newest'] as const]) {
        for (const { cache } of [right, wrong]) await cache.getOrLoad(a, row.load)
        await write(writer, row, value)
        await cluster.clock.advance(0)
        for (const { cache } of [right, wrong])
          t.match(words(await cache.getOrLoad(a, row.load)), new RegExp(`^${value}:`))
      }
    },
  )
}

t.test('an entry stamped by a clock an hour ahead lives no longer in memory than its policy says', async (t) => {
  const { cluster, right, wrong } = await startSkewed(t, HOUR_MS)
  const row = new HeldLoader('old')
  await wrong.cache.getOrLoad(a, row.load)
  const lookup = await right.cache.getOrLoad(a, row.load)
  t.equal(words(lookup), 'old: hit in redis')
  t.ok(lookup.ttlMs <= POLICY.ttlMs)
  cluster.clock.stall(POLICY.ttlMs + POLICY.graceMs)
  await cluster.clock.advance(BOUND_MS)
  t.equal((await verdicts(right, a)).memory, 'not served: its lifetime is over')
  row.row = text('new')
  t.equal(words(await right.cache.getOrLoad(a, row.load)), 'new: miss')
})

t.test('an entry stamped by a clock an hour behind is a miss for the others, not an error', async (t) => {
  const { right, wrong } = await startSkewed(t, -HOUR_MS)
  const row = new HeldLoader('old')
  await wrong.cache.getOrLoad(a, row.load)
  t.equal(words(await right.cache.getOrLoad(a, row.load)), 'old: miss')
})
