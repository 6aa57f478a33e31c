import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisClient } from '../../../../services/cache/index.js'
import { FakeClock } from '../../../helpers/cache/fake-clock.js'
import { MemoryRedis } from '../../../helpers/cache/memory-redis.js'
import { until } from '../../../helpers/deadline.js'
import { startRedis } from '../../../helpers/servers/redis.js'

interface Subject {
  readonly client: RedisClient
  pass(ms: number): Promise<void>
  /** The connection breaks, and nobody answers any more. */
  breakDown(): Promise<void>
  recover(): Promise<void>
}

/** What the engine relies on in a client, beside its types. */
async function conforms(t: Test, { client, pass, breakDown, recover }: Subject): Promise<void> {
  await t.test('what is set is read, one by one and together, in the order asked for', async (t) => {
    t.equal(await client.set('a', 'one', 'PX', 60_000), 'OK')
    t.equal(await client.set('b', 'ü\n"', 'PX', 60_000), 'OK')
    t.equal(await client.get('a'), 'one')
    t.equal(await client.get('none'), null)
    t.same(await client.mget(['b', 'none', 'a', 'a']), ['ü\n"', null, 'one', 'one'])
    t.equal(await client.set('a', 'two', 'PX', 60_000), 'OK')
    t.equal(await client.get('a'), 'two')
  })

  await t.test('with NX only the first one is taken, until it is deleted', async (t) => {
    t.equal(await client.set('l', '', 'PX', 60_000, 'NX'), 'OK')
    t.equal(await client.set('l', 'x', 'PX', 60_000, 'NX'), null)
    t.equal(await client.get('l'), '')
    t.equal(await client.del('l'), 1)
    t.equal(await client.del('l'), 0)
    t.equal(await client.set('l', 'x', 'PX', 60_000, 'NX'), 'OK')
  })

  await t.test('a key is gone when its time is over, for NX too', async (t) => {
    await client.set('short', 'x', 'PX', 20)
    await client.set('lease', 'x', 'PX', 20, 'NX')
    await pass(25)
    t.equal(await client.get('short'), null)
    t.same(await client.mget(['short', 'lease']), [null, null])
    t.equal(await client.set('lease', 'y', 'PX', 60_000, 'NX'), 'OK')
    t.equal(await client.ping(), 'PONG')
  })

  await t.test('a connection that breaks says so, and commands reject at once until there is another', async (t) => {
    let closed = 0
    const onClose = (): void => void (closed += 1)
    client.on('close', onClose)
    t.equal(client.status, 'ready')
    await breakDown()
    t.ok(closed >= 1)
    t.not(client.status, 'ready')
    const commands = [
      client.get('a'),
      client.mget(['a']),
      client.set('a', 'x', 'PX', 1),
      client.del('a'),
      client.ping(),
    ]
    for (const { status } of await Promise.allSettled(commands)) t.equal(status, 'rejected')
    client.off('close', onClose)
    const before = closed
    await recover()
    t.equal(client.status, 'ready')
    t.equal(await client.ping(), 'PONG')
    await breakDown()
    t.equal(closed, before)
  })
}

t.test('ioredis and a server', async (t) => {
  const server = await startRedis()
  const client = new Redis(server.url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 20,
  })
  client.on('error', () => {})
  const isReady = (): Promise<boolean> => until(() => client.status === 'ready', { describe: 'connected' })
  t.teardown(async () => {
    client.disconnect()
    await server.stop()
  })
  await isReady()
  await conforms(t, {
    client,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    async breakDown() {
      await server.kill()
      await until(() => client.status !== 'ready', { describe: 'the client has noticed' })
    },
    async recover() {
      await server.restart()
      await isReady()
    },
  })
})

t.test('the client in this process', async (t) => {
  const clock = new FakeClock()
  const client = new MemoryRedis(clock)
  await conforms(t, {
    client,
    pass: (ms) => clock.advance(ms),
    breakDown: async () => client.disconnect(),
    recover: async () => client.connect(),
  })
})
