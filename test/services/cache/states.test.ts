import t from 'tap'
import { type Journal, openCache } from '../../../services/cache/index.js'
import { FakeClock } from '../../helpers/cache/fake-clock.js'
import { MemoryRedis } from '../../helpers/cache/memory-redis.js'
import { ModelDatabase, ModelJournal } from '../../helpers/cache/model-database.js'
import { BOUND_MS, Rows, startWorld, tagOf } from '../../helpers/cache/replicas.js'

t.test('a replica with Redis is coherent, one without is memory-only, and each says so once', async (t) => {
  const { members, clock } = await startWorld(t, { replicas: 1 })
  const { members: alone } = await startWorld(t, { replicas: 1, hasRedis: false })
  await clock.advance(20 * BOUND_MS)
  t.same(members[0]?.states, ['coherent'])
  t.same(alone[0]?.states, ['memory-only'])
  t.match(members[0]?.cache.health(), {
    state: 'coherent',
    redis: 'healthy',
    journal: 'healthy',
    announcements: 'healthy',
  })
  t.match(alone[0]?.cache.health(), { state: 'memory-only', redis: 'disabled', journal: 'healthy' })
  t.match(members[0]?.cache.stats(), { isRedisAvailable: true, isEnabled: true })
  t.match(alone[0]?.cache.stats(), { isRedisAvailable: false, isEnabled: true })
})

t.test('a command that gets lost now and then is told to nobody, however often', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  const told = only.events.length
  for (let n = 0; n < 50; n++) {
    only.redis.loseReplies(/^(MGET|SET)/)
    await rows.read(only, `row ${n}`)
    only.redis.loseReplies(undefined)
    await clock.advance(30)
  }
  t.ok(only.cache.stats().redisErrors >= 50)
  t.same(only.states, ['coherent'])
  t.same(only.events.slice(told), [])
  t.equal(only.cache.health().redis, 'healthy')
})

t.test('Redis that goes and comes: each change is told once, with the reason', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  for (let n = 0; n < 2; n++) {
    only.redis.disconnect()
    for (let reads = 0; reads < 10; reads++) {
      await rows.read(only, `row ${n} ${reads}`)
      await clock.advance(BOUND_MS / 2)
    }
    only.redis.connect()
    await clock.advance(BOUND_MS)
  }
  t.same(only.states, ['coherent', 'memory-only', 'coherent', 'memory-only', 'coherent'])
  const told = only.events.filter((event) => event.startsWith('Redis'))
  t.same(told.slice(-4), [
    'Redis lost: Stream isn’t writeable',
    'Redis back',
    'Redis lost: Stream isn’t writeable',
    'Redis back',
  ])
  t.match(only.cache.health().stateChanges, { coherent: 3, 'memory-only': 2, isolated: 0 })
})

t.test('a lost journal is told although nobody reads, and its return', async (t) => {
  const { members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  only.journal.hold()
  await clock.advance(BOUND_MS + BOUND_MS / 3)
  t.same(only.states, ['coherent', 'isolated'], 'a tail that hangs')
  only.journal.release()
  await clock.advance(BOUND_MS)
  t.same(only.states, ['coherent', 'isolated', 'coherent'])
  only.journal.failure = new Error('the server has gone')
  await clock.advance(3 * BOUND_MS)
  t.same(only.states.slice(3), ['isolated'])
  t.equal(only.cache.health().journal, 'unavailable')
})

t.test('a refusal of Redis is said by health, and is no change of state', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  only.redis.refuses = 'OOM command not allowed'
  t.equal(await rows.read(only, 'a'), 'nothing: miss')
  await clock.advance(BOUND_MS)
  t.equal(only.cache.health().redis, 'refusing')
  t.same(only.states, ['coherent'])
  t.equal(only.cache.health().redisRefuses, 'writes (OOM)')
  t.ok(only.cache.stats().redisRefusals >= 1)
  only.redis.refuses = undefined
  await clock.advance(12_000)
  t.equal(only.cache.health().redis, 'healthy', 'although nobody has written anything')
  t.equal(only.cache.health().redisRefuses, undefined)
  const told = only.events.filter((event) => event.startsWith('Redis refuses'))
  t.same(told, ['Redis refuses writes: OOM command not allowed', 'Redis refuses writes: nothing'])
})

t.test('a start holds no more than the journal: Redis may come later, and is not waited for', async (t) => {
  const { join, clock } = await startWorld(t, { replicas: 0 })
  const redis = new MemoryRedis(clock)
  redis.disconnect()
  const member = await join({ redis: { client: redis } })
  t.same(member.states, ['memory-only'])
  redis.connect()
  await clock.advance(BOUND_MS)
  t.same(member.states, ['memory-only', 'coherent'])
})

t.test('a start without a journal fails, and leaves nothing behind', async (t) => {
  const clock = new FakeClock()
  const journal = new ModelJournal(new ModelDatabase())
  journal.failure = new Error('connection refused')
  const client = new MemoryRedis(clock)
  await t.rejects(openCache({ journal, redis: { client }, clock }), /connection refused/)
  await clock.advance(60_000)
  t.equal(journal.tails, 1)
  t.equal(client.listenerCount('close'), 0)
})

t.test('a journal that has to be made anew first is followed after the second tail', async (t) => {
  const clock = new FakeClock()
  const journal = new ModelJournal(new ModelDatabase())
  journal.fault = 'it had been emptied'
  const tail = journal.tail.bind(journal)
  journal.tail = async (since, identity) => {
    const answer = await tail(since, identity)
    journal.fault = undefined
    return answer
  }
  const cache = await openCache({ journal, clock })
  t.equal(cache.state, 'memory-only')
  t.ok(journal.tails >= 2)
  await Promise.all([cache.close(), clock.advance(60_000)])
})

t.test('closed, it follows nothing, asks nobody and keeps no listener', async (t) => {
  const { members, clock, database, keys } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  await Promise.all([only.cache.close(), clock.advance(BOUND_MS)])
  const [{ tails }, commands] = [only.journal, only.redis.commands.length]
  database.change(['*'])
  await clock.advance(60 * BOUND_MS)
  t.equal(only.journal.tails, tails)
  t.equal(only.redis.commands.length, commands)
  t.equal(only.redis.listenerCount('close'), 0)
  t.equal(keys.keys.size, 0)
})

t.test('a tail that does not come back is told as that, and not by what an earlier one had said', async (t) => {
  const reasons: string[] = []
  const { members, clock } = await startWorld(t, {
    replicas: 1,
    options: { events: { onState: ({ to, reason }) => to === 'isolated' && reasons.push(reason) } },
  })
  const only = members[0]!
  only.journal.failure = new Error('the server has gone')
  await clock.advance(3 * BOUND_MS)
  only.journal.failure = undefined
  await clock.advance(BOUND_MS)
  only.journal.hold()
  await clock.advance(3 * BOUND_MS)
  only.journal.release()
  t.match(reasons, [/^journal: the server has gone/, /^journal: no answer within the bound/])
})

t.test('a listener that throws stops nothing: its error is an uncaught one of its own', async (t) => {
  const uncaught: unknown[] = []
  const { database, members, clock } = await startWorld(t, {
    replicas: 1,
    options: {
      events: {
        onState({ to }) {
          if (to === 'isolated') throw new Error('a listener of the host')
        },
      },
    },
  })
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => uncaught.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of others) process.on('uncaughtException', listener)
  })
  const only = members[0]!
  only.journal.failure = new Error('the server has gone')
  await clock.advance(3 * BOUND_MS)
  await new Promise((resolve) => setImmediate(resolve))
  t.match(uncaught, [{ message: 'a listener of the host' }])
  only.journal.failure = undefined
  await clock.advance(3 * BOUND_MS)
  t.equal(only.cache.state, 'coherent', 'the journal is followed again')
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  t.equal(await rows.read(only, 'a'), 'x: miss')
})

t.test('each change that a tail brings is told once, and a tail that brings none tells nothing', async (t) => {
  const told: unknown[] = []
  const events = { onChanges: (changes: unknown) => void told.push(changes) }
  const { database, members, clock } = await startWorld(t, { replicas: 1, options: { events } })
  await clock.advance(2 * BOUND_MS)
  t.same(told, [])
  const before = members[0]?.cache.stats().invalidations ?? 0
  database.change([tagOf('a')], { a: 'x' })
  await clock.advance(2 * BOUND_MS)
  t.match(told, [[{ tags: [tagOf('a')] }]])
  t.equal(told.length, 1)
  t.equal(members[0]?.cache.stats().invalidations, before + 1)
})

t.test(
  'a connection for announcements that can not be made is told once for each reason, until it could',
  async (t) => {
    const { clock, database, join } = await startWorld(t, { replicas: 0 })
    const journal = new ModelJournal(database)
    let failure: Error | undefined = new Error('refused')
    const listen: Journal['listen'] = async (onPayload) => {
      if (failure !== undefined) throw failure
      return journal.listen(onPayload)
    }
    const { cache, events } = await join({
      journal: {
        listen,
        tail: (since, identity) => journal.tail(since, identity),
        touch: (tags) => journal.touch(tags),
        mark: (ms) => journal.mark(ms),
        prune: (ms) => journal.prune(ms),
      },
    })
    const told = (): string[] => events.filter((event) => event.startsWith('listening for announcements: '))
    await clock.advance(10_000)
    t.same(told(), ['listening for announcements: refused'])
    t.ok(cache.stats().backgroundErrors > 5, 'each is counted')
    failure = new Error('starting up')
    await clock.advance(10_000)
    t.equal(told().length, 2, 'another reason')
    failure = undefined
    await clock.advance(10_000)
    t.equal(cache.health().announcements, 'healthy')
    failure = new Error('refused')
    journal.cut()
    await clock.advance(10_000)
    t.equal(told().length, 3, 'it had worked in between')
  },
)
