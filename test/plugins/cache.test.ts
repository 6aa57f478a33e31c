import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import Fastify, { type FastifyInstance } from 'fastify'
import cachePlugin from '../../plugins/cache.js'
import configPlugin, { loadConfig } from '../../plugins/config.js'
import databasePlugin from '../../plugins/database.js'
import { createLogger, loggingOptions } from '../../plugins/logging.js'
import redisPlugin from '../../plugins/redis.js'
import { STORED_FORMAT } from '../../services/documents/codec.js'
import { Document } from '../../services/documents/document.js'
import { databaseOf } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedRedis } from '../helpers/servers/shared-servers.js'

const FEW_ITEMS = /Memory is full by CACHE_MAX_MEMORY_ITEMS with \d+ % of its bytes in use/
const AT_CAPACITY = '⚠️ Memory cache at capacity, evicting items'

/** The cache as the service has it, with nothing on top, and what it logs. */
async function cacheWith(
  test: Test,
  env: Record<string, string> = {},
  more: (app: FastifyInstance) => void = () => {},
) {
  const config = loadConfig({
    CACHE_STALENESS_BOUND_MS: '20000',
    REDIS_COMMAND_TIMEOUT_MS: '5000',
    ...(await databaseOf(test)),
    ...env,
  })
  const lines: string[] = []
  const logger = createLogger(config, { destination: { write: (line: string) => void lines.push(line) } })
  const app = Fastify(loggingOptions(logger))
  await app.register(configPlugin, { config })
  await app.register(databasePlugin)
  await app.register(redisPlugin)
  await app.register(cachePlugin)
  more(app)
  await app.ready()
  test.teardown(() => app.close())
  const messages = () => lines.map((line) => String(JSON.parse(line).message))
  const fill = async (count: number, json: string) => {
    for (let n = 0; n < count; n++) {
      const load = async () => new Document(json, '"1"')
      await app.cache.getOrLoad(`own/${randomUUID()}`, { tags: ['own'] }, load)
    }
  }
  return { app, messages, fill }
}

t.test('CACHE_TTL_SECONDS is the lifetime of what names none, 5 minutes unless it is set', async (t) => {
  for (const [env, seconds] of [
    [{ CACHE_TTL_SECONDS: '7' }, 7],
    [{}, 300],
  ] as const) {
    const { app } = await cacheWith(t, env)
    const load = async () => new Document('{}', '"1"')
    await app.cache.getOrLoad('own/entry', { tags: ['own'] }, load)
    const hit = app.cache.peek('own/entry')
    t.ok(hit !== undefined && hit.ttlMs <= seconds * 1_000 && hit.ttlMs > seconds * 800, `${hit?.ttlMs} ms left`)
    await app.cache.getOrLoad('own/brief', { tags: ['own'], ttl: 1_000 }, load)
    t.ok((app.cache.peek('own/brief')?.ttlMs ?? Infinity) <= 1_000, 'one that names its own has that')
  }
})

t.test('memory full of few small entries: once it is said that the bound of items is too low', async (t) => {
  const { app, messages, fill } = await cacheWith(t, { CACHE_MAX_MEMORY_ITEMS: '5' })
  await fill(5, '{}')
  t.notOk(
    messages().some((message) => FEW_ITEMS.test(message)),
    'not while there is room',
  )
  await fill(20, '{}')
  t.equal(messages().filter((message) => FEW_ITEMS.test(message)).length, 1)
  t.equal(messages().filter((message) => message === AT_CAPACITY).length, 1, 'once a minute at most')
  t.equal(app.cache.stats().memoryItems, 5)
  t.equal(app.cache.stats().evictions, 20)
})

t.test('memory full by its bytes says nothing of items', async (t) => {
  const { messages, fill } = await cacheWith(t, { CACHE_MAX_MEMORY_BYTES: '16384' })
  await fill(20, JSON.stringify('x'.repeat(2_000)))
  t.ok(messages().includes(AT_CAPACITY))
  t.notOk(messages().some((message) => FEW_ITEMS.test(message)))
})

t.test('by items with most of the bytes in use it says nothing of items either', async (t) => {
  const { messages, fill } = await cacheWith(t, { CACHE_MAX_MEMORY_ITEMS: '5', CACHE_MAX_MEMORY_BYTES: '14000' })
  await fill(10, JSON.stringify('x'.repeat(2_000)))
  t.ok(messages().includes(AT_CAPACITY))
  t.notOk(messages().some((message) => FEW_ITEMS.test(message)))
})

t.test('the start is said, with the state it began in', async (t) => {
  const { messages } = await cacheWith(t)
  t.ok(messages().includes('✅ Cache service initialized successfully'))
  t.ok(messages().some((message) => message.startsWith('Cache state: memory-only (')))
  t.notOk(
    messages().some((message) => message.includes('restarted')),
    'the first history is no news',
  )
})

t.test('however long it takes to compile what follows, it is up to date when all is ready', async (t) => {
  const { app } = await cacheWith(t, { CACHE_STALENESS_BOUND_MS: '2000' }, (app) => {
    app.get('/long', {
      schema: { querystring: {} },
      validatorCompiler() {
        const until = performance.now() + 2_500
        while (performance.now() < until);
        return () => true
      },
      handler: async () => 'x',
    })
  })
  t.not(app.cache.state, 'isolated')
})

t.test('without caching nothing is kept, and each part says that it is off', async (t) => {
  const { app, fill } = await cacheWith(t, { ENABLE_CACHING: 'false' })
  await fill(3, '{}')
  t.match(app.cache.stats(), { memoryItems: 0, loads: 3, misses: 3, isEnabled: false })
  t.match(await app.health.check(), {
    status: 'healthy',
    state: 'disabled',
    cache_health: { redis: 'disabled', journal: 'disabled', announcements: 'disabled', database: 'healthy' },
    state_changes: { disabled: 1, coherent: 0 },
  })
})

t.test('what lies in Redis and was not stored there is named once, without what a caller wrote into it', async (t) => {
  const redis = await sharedRedis(t)
  const { app, messages } = await cacheWith(t, { REDIS_URL: redis.url, CACHE_MAX_MEMORY_ITEMS: '1' })
  const keys = [`own/${randomUUID()}`, `own/${randomUUID()}?tag=private`]
  const read = (key: string) => app.cache.getOrLoad(key, { tags: ['own'] }, async () => new Document('{}', '"1"'))
  const nameOf = async (key: string) => (await app.redis.keys(`*:e:${key.replace('?', '\\?')}`))[0]
  for (const key of keys) {
    await read(key)
    const name = await until(() => nameOf(key), { describe: 'the entry is in Redis' })
    for (let n = 0; n < 3; n++) {
      await read('own/other')
      await app.redis.set(name, 'poison')
      t.equal((await read(key)).outcome, 'miss')
    }
  }
  t.equal(app.cache.stats().invalidEntries, 6)
  const told = messages().filter((message) => message.startsWith('Redis held'))
  t.equal(told.length, 2)
  t.ok(told[0]?.endsWith(` key ${keys[0]}`))
  t.ok(told[1]?.endsWith('?…'))
})

t.test(
  'in Redis what each release stores in its own way is apart, so that two releases do not answer with each other’s',
  async (t) => {
    const redis = await sharedRedis(t)
    const { app } = await cacheWith(t, { REDIS_URL: redis.url })
    const key = `own/${randomUUID()}`
    await app.cache.getOrLoad(key, { tags: ['own'] }, async () => new Document('{}', '"1"'))
    const keys = await until(
      async () => {
        const found = await app.redis.keys(`*:e:${key}`)
        return found.length > 0 && found
      },
      { describe: 'the entry is in Redis' },
    )
    t.match(keys, [new RegExp(`^roundhouse:${STORED_FORMAT}:`)])
  },
)
