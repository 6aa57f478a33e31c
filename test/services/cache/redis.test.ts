import { Redis as Client } from 'ioredis'
import t from 'tap'
import { systemClock } from '../../../services/cache/index.js'
import { Redis } from '../../../services/cache/redis.js'
import { drain, FakeClock } from '../../helpers/cache/fake-clock.js'
import { MemoryRedis } from '../../helpers/cache/memory-redis.js'
import { Rows, startWorld } from '../../helpers/cache/replicas.js'
import { until } from '../../helpers/deadline.js'
import { startRedis } from '../../helpers/redis.js'

t.test('against a real server', async (t) => {
  const server = await startRedis()
  const client = new Client(server.url, {
    commandTimeout: 200,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
  })
  client.on('error', () => {})
  const errors: string[] = []
  let changes = 0
  await until(() => client.status === 'ready', { describe: 'connected' })
  const redis = new Redis({
    client,
    isCluster: false,
    keyPrefix: 'p',
    secret: '',
    clock: systemClock,
    onChange: () => (changes += 1),
    onError: () => errors.push('error'),
  })
  redis.useIdentity('one')
  t.teardown(async () => {
    redis.stop()
    client.disconnect()
    await server.stop()
  })

  await t.test('entries are stored for their lifetime, by key and identity', async (t) => {
    t.equal(await redis.get('a'), undefined)
    await redis.set('a', 'text', 60_000)
    t.equal(await redis.get('a'), 'text')
    const [name = ''] = await client.keys('*')
    t.match(name, /^p:\d+:[\w-]{12}:e:a$/)
    t.ok((await client.pttl(name)) > 50_000)
    redis.useIdentity('two')
    t.equal(await redis.get('a'), undefined)
    redis.useIdentity('one')
  })

  await t.test('reads of one turn share a command', async (t) => {
    const before = await commandsOf(client, 'mget')
    await Promise.all(Array.from({ length: 20 }, (_, n) => redis.get(`k${n}`)))
    t.equal(await commandsOf(client, 'mget'), before + 1)
  })

  await t.test('a lease is one replica’s, named by the newest change, until it is given back or over', async (t) => {
    t.equal(await redis.lease('a', 5, 10_000), true)
    t.equal(await redis.lease('a', 5, 10_000), false)
    t.equal(await redis.lease('a', 6, 10_000), true)
    await redis.release('a', 5)
    t.equal(await redis.lease('a', 5, 20), true)
    await until(() => redis.lease('a', 5, 20), { describe: 'it is over' })
  })

  await t.test('a server that refuses is still asked, and says what it refuses', async (t) => {
    await client.config('SET', 'maxmemory', '1mb')
    await redis.set('big', 'x'.repeat(2_000_000), 1_000)
    t.notOk(redis.breaker.isOpen, 'at once: one that was opened would be closed by its first ping')
    await redis.set('b', 'x', 1_000)
    t.match(redis.refusal, /OOM/)
    t.notOk(redis.breaker.isOpen)
    t.equal(await redis.lease('b', 1, 1_000), true, 'then everybody loads')
    await client.config('SET', 'maxmemory', '0')
    await redis.set('b', 'x', 1_000)
    t.equal(redis.refusal, undefined)
    t.equal(changes, 0)
  })

  await t.test('a server that is gone is left alone until it answers a ping', async (t) => {
    await server.kill()
    await redis.get('a')
    await until(() => redis.breaker.isDown, { describe: 'known to be down' })
    t.ok(redis.breaker.isOpen)
    await server.restart()
    await until(() => !redis.breaker.isOpen, { timeoutMs: 5_000, describe: 'used again' })
    t.notOk(redis.breaker.isDown)
  })
})

async function commandsOf(client: Client, name: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await client.info('commandstats'))?.[1] ?? 0)
}

t.test('one lost command keeps reads away from Redis until a ping, and nobody is told', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  await rows.read(only, 'a')
  only.redis.failure = new Error('Command timed out')
  const reading = rows.read(only, 'b')
  await drain()
  only.redis.failure = undefined
  t.equal(await reading, 'nothing: miss')
  await clock.advance(30)
  t.ok(only.cache.stats().redisErrors > 0)
})

t.test('a Redis that is down is told once, its state follows, and so does its return', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  only.redis.disconnect()
  await clock.advance(5_000)
  t.same(only.states, ['coherent', 'memory-only'])
  t.equal(only.cache.health().redis, 'unavailable')
  only.redis.commands.length = 0
  await rows.read(only, 'a')
  t.same(
    only.redis.commands.filter((command) => command !== 'PING'),
    [],
    'no request waits for it',
  )
  only.redis.connect()
  await clock.advance(1_000)
  t.same(only.states, ['coherent', 'memory-only', 'coherent'])
  t.equal(only.events.filter((event) => event.startsWith('Redis lost')).length, 1)
})

t.test('a Redis that does not answer yet holds no start up', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  client.disconnect()
  const redis = new Redis({
    client,
    isCluster: false,
    keyPrefix: 'p',
    secret: '',
    clock,
    onChange: () => {},
    onError: () => {},
  })
  t.ok(redis.breaker.isOpen)
  await drain()
  t.ok(redis.breaker.isDown)
  client.connect()
  await clock.advance(1_000)
  t.notOk(redis.breaker.isOpen)
  redis.stop()
  t.ok(redis.breaker.isOpen)
})

t.test('a cluster is asked key by key', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  const redis = new Redis({
    client,
    isCluster: true,
    keyPrefix: 'p',
    secret: '',
    clock,
    onChange: () => {},
    onError: () => {},
  })
  await Promise.all([redis.get('a'), redis.get('b')])
  t.same(
    client.commands.map((command) => command.split(' ')[0]),
    ['GET', 'GET'],
  )
})
