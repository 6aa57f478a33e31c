import { Redis as Client } from 'ioredis'
import t from 'tap'
import { systemClock } from '../../../services/cache/index.js'
import { INVALID, Redis, type RedisEvents } from '../../../services/cache/redis/redis.js'
import { drain, FakeClock } from '../../helpers/cache/fake-clock.js'
import { MemoryRedis } from '../../helpers/cache/memory-redis.js'
import { Rows, startWorld } from '../../helpers/cache/replicas.js'
import { until } from '../../helpers/deadline.js'
import { startRedis } from '../../helpers/servers/redis.js'

function eventsWith(events: Partial<RedisEvents> = {}): RedisEvents {
  return { onChange: () => {}, onError: () => {}, onRefusal: () => {}, onOversized: () => {}, ...events }
}

const MINUTE = { lifetimeMs: 60_000 }

t.test('against a real server', async (t) => {
  const server = await startRedis()
  const client = new Client(server.url, {
    commandTimeout: 200,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
  })
  client.on('error', () => {})
  const told: string[] = []
  let [lost, aheadMs] = [0, 0]
  await until(() => client.status === 'ready', { describe: 'connected' })
  const redis: Redis = new Redis({
    client,
    isCluster: false,
    keyPrefix: 'p',
    secret: '',
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
    events: eventsWith({
      onChange: () => (lost += Number(redis.breaker.isLost)),
      onRefusal: (kind, words) => told.push(`${kind}: ${words}`),
      onOversized: (key, bytes) => told.push(`${key}: ${bytes} bytes`),
    }),
  })
  await redis.breaker.begun
  redis.useIdentity('one')
  t.teardown(async () => {
    redis.stop()
    client.disconnect()
    await server.stop()
  })

  await t.test('entries are stored for their lifetime, by key and identity', async (t) => {
    t.equal(await redis.get('a'), undefined)
    await redis.set('a', 'text', MINUTE)
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

  await t.test('writes of one turn leave in one piece, and those of the next are not kept back', async (t) => {
    const { stream } = client
    const together = async <T>(work: (key: string) => Promise<T>): Promise<T[]> => {
      const [held, uncork]: [number[], () => void] = [[], stream.uncork.bind(stream)]
      stream.uncork = () => {
        held.push(stream.writableLength)
        uncork()
      }
      const all = await Promise.all(Array.from({ length: 20 }, (_, n) => work(`w${n}`)))
      Reflect.deleteProperty(stream, 'uncork')
      t.equal(held.length, 1)
      t.ok((held[0] ?? 0) > 20 * 'SET PX'.length, 'all of them were held back')
      return all
    }
    t.same(new Set(await together((key) => redis.lease(key, 1, 10_000))), new Set(['mine']))
    await together((key) => redis.set(key, 'text', MINUTE))
    t.equal(await redis.get('w19'), 'text')
    await together((key) => redis.release(key, 1))
    t.equal(await redis.lease('w19', 1, 10_000), 'mine')
  })

  await t.test('a turn that takes longer than a command may takes nothing of the time of its writes', async (t) => {
    const lease = redis.lease('long turn', 1, 10_000)
    await Promise.resolve()
    const until = performance.now() + 300
    while (performance.now() < until);
    t.equal(await lease, 'mine')
  })

  await t.test('a connection that breaks before its writes have left takes no later ones with it', async (t) => {
    const lost = [redis.lease('x1', 1, 10_000), redis.set('x2', 'text', MINUTE)]
    client.stream.destroy()
    t.same(await Promise.all(lost), ['free', undefined])
    await until(() => client.status === 'ready' && !redis.breaker.isOpen, { describe: 'connected again' })
    await redis.set('x3', 'text', MINUTE)
    t.equal(await redis.get('x3'), 'text')
    t.equal(client.stream.writableCorked, 0)
  })

  await t.test('a lease is one replica’s, named by the newest change, until it is given back or over', async (t) => {
    t.equal(await redis.lease('a', 5, 10_000), 'mine')
    t.equal(await redis.lease('a', 5, 10_000), 'elsewhere')
    t.equal(await redis.lease('a', 6, 10_000), 'mine')
    await redis.release('a', 5)
    t.equal(await redis.lease('a', 5, 20), 'mine')
    await until(async () => (await redis.lease('a', 5, 20)) === 'mine', { describe: 'it is over' })
  })

  await t.test('a lease stays when its entry was stored', async (t) => {
    t.equal(await redis.lease('c', 1, 10_000), 'mine')
    await redis.set('c', 'x', { ...MINUTE, lease: 1 })
    t.equal(await redis.lease('c', 1, 10_000), 'elsewhere')
  })

  await t.test('an entry above what every server takes is not sent, leaves no lease, and is told', async (t) => {
    await client.config('SET', 'proto-max-bulk-len', '1mb')
    t.equal(await redis.lease('large', 1, 10_000), 'mine')
    await redis.set('large', 'ü'.repeat(600_000), { ...MINUTE, lease: 1 })
    t.equal(await redis.lease('large', 1, 1_000), 'mine')
    t.match(told.splice(0), ['large: 1200022 bytes'])
    await redis.set('largest', 'x'.repeat(1_048_576 - 22), MINUTE)
    t.equal(String(await redis.get('largest')).length, 1_048_576 - 22)
    t.same([lost, told, client.status], [0, [], 'ready'], 'the connection is there still')
  })

  await t.test(
    'a server that refuses is still asked, and what it refuses is told once, in its own words',
    async (t) => {
      await client.config('SET', 'maxmemory', '1mb')
      for (let n = 0; n < 20; n++) {
        await redis.set('b', 'x', MINUTE)
        t.notOk(redis.breaker.isOpen, 'at once: one that was opened would be closed by its first ping')
        t.equal(await redis.lease('b', 1, 1_000), 'free', 'then everybody loads')
      }
      t.equal(redis.refusals.inShort, 'writes (OOM)')
      await client.config('SET', 'maxmemory', '0')
      await redis.set('b', 'x', MINUTE)
      t.equal(redis.refusals.inShort, 'writes (OOM)', 'one that is taken is no change yet')
      aheadMs += 10_000
      redis.retry()
      await until(() => redis.refusals.inShort === undefined, { describe: 'nobody had to write anything' })
      t.match(told.splice(0), [/^writes: OOM command not allowed/, 'writes: undefined'])
      t.equal(lost, 0)
    },
  )

  await t.test('a user who may not read is told as that', async (t) => {
    await client.call('ACL', 'SETUSER', 'default', '-get', '-mget')
    t.equal(await redis.get('a'), undefined)
    await until(() => !redis.breaker.isOpen, { describe: 'a ping was answered' })
    t.match(told.splice(0), [/^reads: NOPERM .*'mget'/])
    await client.call('ACL', 'SETUSER', 'default', '+@all')
    t.equal(lost, 0)
  })

  await t.test('a server that is gone is left alone until it answers a ping', async (t) => {
    await server.kill()
    await redis.get('a')
    await until(() => redis.breaker.isDown, { describe: 'known to be down' })
    t.match(redis.breaker.reason, 'ECONNREFUSED')
    t.equal(lost, 1)
    t.ok(redis.breaker.isOpen)
    await server.restart()
    await until(() => !redis.breaker.isOpen, { describe: 'used again' })
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
    events: eventsWith(),
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
    events: eventsWith(),
  })
  await Promise.all([redis.get('a'), redis.get('b')])
  t.same(
    client.commands.map((command) => command.split(' ')[0]).filter((command) => command !== 'PING'),
    ['GET', 'GET'],
  )
})

t.test('one key of a cluster that holds no string is no entry, and spoils no other', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  const redis = new Redis({ client, isCluster: true, keyPrefix: 'p', secret: '', clock, events: eventsWith() })
  const refusal = Object.assign(new Error('WRONGTYPE Operation against a key'), { name: 'ReplyError' })
  const { get } = client
  client.get = (name) => (name.endsWith(':a') ? Promise.reject(refusal) : get.call(client, name))
  await redis.set('b', 'b', MINUTE)
  t.same(await Promise.all([redis.get('a'), redis.get('b')]), [INVALID, 'b'])
  t.equal(redis.refusals.count, 0)
})

t.test('a text that is too long to be an entry is none, and nobody waits while it is looked at', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  const redis = new Redis({ client, isCluster: false, keyPrefix: 'p', secret: '', clock, events: eventsWith() })
  await redis.breaker.begun
  const longest = 'a'.repeat(1_048_576 - 22)
  await redis.set('a', longest, MINUTE)
  t.equal(await redis.get('a'), longest)
  // The longest text that JavaScript has: with a name before it there is none.
  client.mget = async (names) => names.map(() => 'a'.repeat(0x1fffffe8))
  t.equal(await redis.get('a'), INVALID)
  client.mget = async (names) => names.map(() => 'a'.repeat(100 * 1_048_576))
  const began = process.cpuUsage()
  t.equal(await redis.get('a'), INVALID)
  t.ok(process.cpuUsage(began).user < 50_000)
  redis.stop()
})

t.test('a lease that could not be given back is, when Redis answers again', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  const redis = new Redis({ client, isCluster: false, keyPrefix: 'p', secret: '', clock, events: eventsWith() })
  await redis.breaker.begun
  t.equal(await redis.lease('a', 1, 2_000), 'mine')
  client.disconnect()
  await redis.release('a', 1)
  client.connect()
  t.equal(client.server.keys.size, 1)
  await clock.advance(600)
  t.equal(client.server.keys.size, 0)
  client.loseReplies(/^SET/)
  t.equal(await redis.lease('b', 1, 2_000), 'free')
  await clock.advance(10)
  t.equal(client.server.keys.size, 0, 'nor does one stay whose answer was lost')
  redis.stop()
})
