import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { BEGIN, FILL, RAISE, RELEASE, type Script, VOUCH } from '../../../../services/cache/redis-scripts.js'
import type { RedisClient } from '../../../../services/cache/index.js'
import { FakeClock } from '../../../helpers/cache/fake-clock.js'
import { ModelRedis } from '../../../helpers/cache/model-redis.js'
import { ModelRedisClient } from '../../../helpers/cache/model-redis-client.js'
import { promptNetwork } from '../../../helpers/cache/network.js'
import { until } from '../../../helpers/deadline.js'
import { startRedis } from '../../../helpers/redis.js'

interface Subject {
  readonly client: RedisClient
  set(key: string, value: string): Promise<void>
  wipe(): Promise<void>
  /** Ends and starts the server; the client is connected again when it resolves. */
  restart(): Promise<void>
  pass(ms: number): Promise<void>
}

async function openReal(): Promise<Subject> {
  const server = await startRedis()
  const client = new Redis(server.url, { enableOfflineQueue: false, lazyConnect: true, retryStrategy: () => 20 })
  client.on('error', () => {})
  await client.connect()
  t.teardown(async () => {
    client.disconnect()
    await server.stop()
  })
  return {
    client,
    set: async (key, value) => void (await client.set(key, value, 'PX', 60_000)),
    wipe: async () => void (await client.flushall()),
    async restart() {
      await server.restart({ empty: true })
      await until(() => client.status === 'ready', { describe: 'the client is back' })
    },
    // Lifetimes run by the server's own clock: the one wait here that no event ends.
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }
}

function openModel(): Subject {
  const clock = new FakeClock()
  const server = new ModelRedis({ clock })
  const client = new ModelRedisClient({
    server,
    clock,
    network: promptNetwork,
    name: 'client',
    timeoutMs: 1_000,
    reconnectMs: 20,
  })
  return {
    client,
    set: async (key, value) => server.set(key, value, 60_000),
    wipe: async () => server.wipe(),
    async restart() {
      server.stop()
      server.start(new Map())
      await clock.advance(20)
    },
    pass: (ms) => clock.advance(ms),
  }
}

for (const [name, open] of Object.entries({ Redis: openReal, 'the model of Redis': openModel })) {
  t.test(`the scripts on ${name}`, async (t) => behavesAsRedis(t, await open()))
}

async function behavesAsRedis(t: Test, { client, set, wipe, restart, pass }: Subject): Promise<void> {
  const run = (script: Script, keys: string[], values: (string | number)[]): Promise<unknown> =>
    client.eval(script.text, keys.length, ...keys, ...values)
  const lives = async (key: string, ms: number): Promise<boolean> => {
    const left = await client.pttl(key)
    return left > ms - 500 && left <= ms
  }
  const test = (words: string, body: (t: Test) => Promise<void>): Promise<unknown> =>
    t.test(words, async (t) => {
      await wipe()
      await body(t)
    })

  await test('RAISE makes tags at least a version, and leaves higher ones', async (t) => {
    await set('low', '3:x')
    await set('same', '5:y')
    await set('high', '9:z')
    await set('broken', 'what is this')
    const keys = ['absent', 'low', 'same', 'high', 'broken']
    t.equal(await run(RAISE, keys, [5_000, 'new', 5, 5, 5, 5, 5]), 3)
    t.same(await client.mget(keys), ['5:new', '5:new', '5:y', '9:z', '5:new'])
    t.ok(await lives('absent', 5_000))
    t.ok(await lives('same', 60_000))
    t.equal(await run(RAISE, keys, [5_000, 'again', 5, 5, 5, 5, 5]), 0)
  })

  await test('RAISE compares versions as numbers', async (t) => {
    await set('tag', '9:x')
    t.equal(await run(RAISE, ['tag'], [5_000, 'new', 10]), 1)
    t.equal(await run(RAISE, ['tag'], [5_000, 'newer', 9]), 0)
    t.equal(await client.get('tag'), '10:new')
  })

  await test('BEGIN takes free leases, and their predecessors’', async (t) => {
    const begin = (leaseId: string, supersededId = ''): Promise<unknown> =>
      run(BEGIN, ['entry', 'lease'], [1, 5_000, 60_000, 'i', leaseId, supersededId, '-1'])
    t.same(await begin('first'), [1])
    t.ok(await lives('lease', 5_000))
    t.same(await begin('second'), [0])
    t.same(await begin('second', 'somebody'), [0])
    const wanted = ['third', 'first', '-1', 'fourth', '', '-1', 'fifth', 'third', '-1', '', '', '-1']
    const keys = ['e', 'e', 'e', 'e', 'lease', 'other', 'lease', 'unwanted']
    t.same(await run(BEGIN, keys, [4, 5_000, 60_000, 'i', ...wanted]), [1, 1, 1, 1], 'in their order')
    t.same(await client.mget(['lease', 'other', 'unwanted']), ['fifth', 'fourth', null])
    t.same(await begin(''), [1], 'who wants no lease may always load')
    t.equal(await client.get('lease'), 'fifth')
    await set('lease', '')
    t.same(await begin('sixth'), [0], 'an empty id supersedes nothing')
  })

  await test('BEGIN answers stamps: what is there, or what was heard of under a new incarnation', async (t) => {
    await set('high', '9:z')
    await set('low', '3:x')
    await set('broken', 'what is this')
    const keys = ['absent', 'high', 'low', 'broken']
    const stamps = await run(BEGIN, keys, [0, 5_000, 90_000, 'new', 0, 5, 5, 0])
    t.same(stamps, ['0:new', '9:z', '5:new', '0:new'])
    t.same(await client.mget(keys), stamps)
    for (const key of keys) t.ok(await lives(key, 90_000), `${key} outlives the entry`)
    const one = await run(BEGIN, ['entry', 'lease', 'high'], [1, 5_000, 90_000, 'i', 'me', '', '0 1', 4])
    t.same(one, [1, '9:z'], 'behind the leases')
  })

  await test('BEGIN answers a valid entry that is fresh enough, and takes no lease for it', async (t) => {
    await set('tag1', '1:a')
    await set('tag2', '2:b')
    const entry = '10 20 30 "etag" 1:a 2:b\n{"n":1} 1:x\n'
    await set('entry', entry)
    await set('negative', '10 20 30  2:b')
    await set('other', '10 20 30 "etag" 1:a 2:x\n{}')
    await set('fewer', '10 20 30 "etag" 1:a\n{}')
    await set('broken', 'what is this')
    await set('timeless', '10 x 30 "etag" 1:a 2:b\n{}')
    const begin = async (key: string, wanted: string, heard = [0, 0]): Promise<unknown> => {
      await run(RELEASE, ['lease'], ['me'])
      const reply = await run(
        BEGIN,
        [key, 'lease', 'tag1', 'tag2'],
        [1, 5_000, 90_000, 'i', 'me', '', wanted, ...heard],
      )
      t.equal((await client.get('lease')) === 'me', (reply as unknown[])[0] === 1, 'a lease or an entry')
      return (reply as unknown[])[0]
    }
    t.equal(await begin('entry', '0 1 2'), entry)
    t.equal(await begin('entry', '19 1 2'), entry)
    t.equal(await begin('entry', '20 1 2'), 1, 'no longer fresh')
    t.equal(await begin('entry', '-1 1 2'), 1, 'none will do')
    t.equal(await begin('entry', '0 2 1'), 1, 'in the order of its tags')
    t.equal(await begin('negative', '0 2'), '10 20 30  2:b')
    for (const key of ['other', 'fewer', 'broken', 'timeless', 'absent']) t.equal(await begin(key, '0 1 2'), 1, key)
    t.equal(await begin('entry', '0 1 2', [0, 3]), 1, 'behind what was heard of')
    t.equal(await client.get('tag2'), '3:i')
  })

  await test('FILL stores an entry only while every one of its tags equals its stamp', async (t) => {
    await set('tag1', '1:a')
    await set('tag2', '2:b')
    const keys = ['e1', 'e2', 'e3', 'e4', 'l1', 'l2', 'l3', 'l4', 'tag1', 'tag2', 'tag3', 'tag2']
    const entries = ['one', 5_000, 'me', '1', 'two', 5_000, 'me', '1 2', 'three', 5_000, 'me', '1 2 3']
    const values = [4, '1:a', '2:other', '3:c', '2:b', ...entries, 'four', 5_000, 'me', '4']
    t.same(await run(FILL, keys, values), [1, 0, 0, 1])
    t.same(await client.mget(['e1', 'e2', 'e3', 'e4', 'tag2', 'tag3']), ['one', null, null, 'four', '2:b', null])
    t.ok(await lives('e1', 5_000))
  })

  await test('FILL gives back each load’s own lease, accepted or refused, and nobody else’s', async (t) => {
    await set('l1', 'me')
    await set('l2', 'another')
    await set('l3', 'somebody')
    await set('tag', '1:a')
    const keys = ['e1', 'e2', 'e3', 'e4', 'l1', 'l2', 'l3', 'l4', 'tag', 'gone']
    const entries = ['one', 5_000, 'me', '1', 'two', 5_000, 'another', '2', 'three', 5_000, 'me', '1']
    await run(FILL, keys, [4, '1:a', '1:x', ...entries, 'four', 5_000, '', '1'])
    t.same(await client.mget(['l1', 'l2', 'l3', 'e3', 'e4']), [null, null, 'somebody', 'three', 'four'])
  })

  await test('FILL of nothing answers nothing', async (t) => {
    t.same(await run(FILL, [], [0]), [])
  })

  await test('RELEASE gives back its own lease only', async (t) => {
    await set('lease', 'me')
    t.equal(await run(RELEASE, ['lease'], ['somebody']), 0)
    t.equal(await run(RELEASE, ['lease'], ['me']), 1)
    t.equal(await run(RELEASE, ['lease'], ['me']), 0)
    t.equal(await client.get('lease'), null)
  })

  await test('VOUCH lasts until a moment of the server’s clock, never in the past, and never shortens', async (t) => {
    const now = Number(await run(VOUCH, ['voucher'], ['7', 0]))
    t.equal(await client.get('voucher'), null, 'asked for the time only')
    await run(VOUCH, ['voucher'], ['7', now - 1])
    t.equal(await client.get('voucher'), null)
    await run(VOUCH, ['voucher'], ['7', now + 20_000])
    t.equal(await client.get('voucher'), '7')
    t.ok(await lives('voucher', 20_000))
    await run(VOUCH, ['voucher'], ['8', now + 10_000])
    t.equal(await client.get('voucher'), '7')
    await run(VOUCH, ['voucher'], ['8', now + 30_000])
    t.equal(await client.get('voucher'), '8')
    t.ok(await lives('voucher', 30_000))
  })

  await test('a key is there until its lifetime is over', async (t) => {
    await run(RAISE, ['tag'], [60, 'new', 1])
    t.equal(await client.get('tag'), '1:new')
    await pass(80)
    t.equal(await client.get('tag'), null)
    t.equal(await client.pttl('tag'), -2)
  })

  await test('a script is known by its digest once it has been run, until a restart', async (t) => {
    await restart()
    await t.rejects(client.evalsha(RELEASE.sha, 1, 'lease', 'me'), /^NOSCRIPT/)
    await run(RELEASE, ['lease'], ['me'])
    t.equal(await client.evalsha(RELEASE.sha, 1, 'lease', 'me'), 0)
    await restart()
    await t.rejects(client.evalsha(RELEASE.sha, 1, 'lease', 'me'), /^NOSCRIPT/)
  })

  await test('commands of one connection run in the order they were sent', async (t) => {
    const replies = await Promise.all([
      run(RAISE, ['tag'], [60_000, 'first', 1]),
      client.get('tag'),
      run(RAISE, ['tag'], [60_000, 'second', 2]),
      client.mget(['tag', 'absent']),
    ])
    t.same(replies, [1, '1:first', 1, ['2:second', null]])
    t.equal(await client.ping(), 'PONG')
  })

  await test('a client that is not connected rejects at once, and says when it is back', async (t) => {
    const events: string[] = []
    client.on('close', () => events.push('close'))
    client.on('ready', () => events.push('ready'))
    const restarting = restart()
    await until(() => client.status !== 'ready' || events.includes('close'), {
      describe: 'it is closed',
      intervalMs: 0,
    })
    if (client.status !== 'ready') await t.rejects(client.get('key'))
    await restarting
    t.equal(events[0], 'close')
    t.equal(events.at(-1), 'ready')
    t.equal(await client.get('key'), null)
  })
}
