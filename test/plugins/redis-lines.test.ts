import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import cachePlugin from '../../plugins/cache.js'
import configPlugin, { loadConfig } from '../../plugins/config.js'
import databasePlugin from '../../plugins/database.js'
import { createLogger, loggingOptions } from '../../plugins/logging.js'
import redisPlugin from '../../plugins/redis.js'
import { Document } from '../../services/documents/document.js'
import { until } from '../helpers/deadline.js'
import { type RedisServer, startRedis } from '../helpers/servers/redis.js'
import { freePort, temporaryDirectory } from '../helpers/servers/servers.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

t.setTimeout(180_000)

/** The cache of the service on its database, and the lines it writes about Redis. */
async function cacheWith(test: Test, env: Record<string, string>) {
  const config = loadConfig({ CACHE_STALENESS_BOUND_MS: '20000', REDIS_COMMAND_TIMEOUT_MS: '5000', ...env })
  const lines: { readonly level: string; readonly message: string }[] = []
  const logger = createLogger(config, { destination: { write: (line: string) => void lines.push(JSON.parse(line)) } })
  const app = Fastify({ pluginTimeout: 60_000, ...loggingOptions(logger) })
  for (const plugin of [databasePlugin, redisPlugin, cachePlugin]) {
    if (plugin === databasePlugin) await app.register(configPlugin, { config })
    await app.register(plugin)
  }
  await app.ready()
  test.teardown(() => app.close())
  let entries = 0
  const load = async () => new Document('{"a":1}', '"1"')
  const fill = () => app.cache.getOrLoad(`own/${entries++}`, { tags: ['own'] }, load)
  const about = () =>
    lines
      .filter(({ message }) => /^(?!Database: ).*Redis/.test(message))
      .map(({ level, message }) => `${level}: ${message}`)
  return { app, fill, about, warnings: () => about().filter((line) => line.startsWith('warn')) }
}

async function redisOf(test: Test, ...args: string[]): Promise<RedisServer> {
  const redis = await startRedis({ args })
  test.teardown(() => redis.stop())
  return redis
}

function cli({ port }: RedisServer, ...args: string[]): void {
  execFileSync('redis-cli', ['-p', String(port), ...args], { stdio: 'ignore' })
}

/** A port on which whoever connects is told this, and let go. */
async function sayingAlone(test: Test, text: string): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}).end(text)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

t.test('each cause has a line that names it, and a healthy start has no warning', async (t) => {
  const [postgres, open, locked] = await Promise.all([sharedPostgres(t), redisOf(t), redisOf(t)])
  cli(locked, 'config', 'set', 'requirepass', 'secret')
  const DATABASE_URL = await postgres.serviceDatabase()
  const healthy = await cacheWith(t, { DATABASE_URL, REDIS_URL: open.url })
  const nobody = await freePort()
  const causes: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ REDIS_URL: `redis://127.0.0.1:${nobody}` }, /ECONNREFUSED/],
    [{ REDIS_URL: 'redis://redis.invalid' }, /ENOTFOUND redis\.invalid|EAI_AGAIN redis\.invalid/],
    [{ REDIS_URL: locked.url }, /NOAUTH Authentication required/],
    [{ REDIS_URL: locked.url.replace('//', '//:wrong@') }, /WRONGPASS/],
    [{ REDIS_URL: `${open.url}/99` }, /ERR DB index is out of range/],
    [{ REDIS_URL: open.url, REDIS_CLUSTER: 'true' }, /cluster support disabled/],
    [{ REDIS_SENTINELS: `127.0.0.1:${nobody}` }, /no sentinel can be reached: connect ECONNREFUSED/],
    [{ REDIS_SENTINELS: `127.0.0.1:${open.port}` }, /ERR unknown command .sentinel/],
    [
      { REDIS_URL: `redis://127.0.0.1:${await sayingAlone(t, '-ERR max number of clients reached\r\n')}` },
      /: ERR max number of clients reached$/,
    ],
  ]
  const told = await Promise.all(
    causes.map(async ([env, words]) => {
      const { about, warnings } = await cacheWith(t, { DATABASE_URL, ...env })
      await until(() => warnings().length > 0, { timeoutMs: 10_000, describe: `a warning for ${words}` })
      t.match(warnings(), [words])
      t.match(
        about().filter((line) => !warnings().includes(line)),
        [/^info: Cache state: memory-only \(Redis: /],
      )
      return warnings().join()
    }),
  )
  t.equal(new Set(told).size, causes.length, 'no two are alike')
  t.same(healthy.about(), [])
  t.equal(healthy.app.cache.state, 'coherent')
})

/** Ways to make a Redis refuse every write, and to make it stop. */
const REFUSALS: Readonly<Record<string, { readonly begin: (redis: RedisServer) => void; readonly end: string[] }>> = {
  OOM: {
    begin: (redis) => cli(redis, 'config', 'set', 'maxmemory', '1000'),
    end: ['config', 'set', 'maxmemory', '0'],
  },
  MISCONF: {
    begin(redis) {
      const folder = mkdtempSync(join(temporaryDirectory(), 'gone-'))
      cli(redis, 'config', 'set', 'dir', folder)
      rmSync(folder, { recursive: true })
      cli(redis, 'config', 'set', 'save', '1 1')
    },
    end: ['config', 'set', 'save', ''],
  },
}

for (const [word, { begin, end }] of Object.entries(REFUSALS)) {
  t.test(
    `a Redis that refuses every write (${word}) says so in health, once in the log, and once when it takes them again`,
    async (t) => {
      const args = ['--enable-protected-configs', 'yes']
      const [postgres, redis] = await Promise.all([sharedPostgres(t), redisOf(t, ...args)])
      const { app, fill, about } = await cacheWith(t, {
        DATABASE_URL: await postgres.serviceDatabase(),
        REDIS_URL: redis.url,
      })
      begin(redis)
      const isRefusing = async (): Promise<boolean> => {
        for (let n = 0; n < 50; n++) await fill()
        return app.cache.health().redis === 'refusing'
      }
      await until(isRefusing, { intervalMs: 100, describe: 'health says so' })
      t.match((await app.health.check()).cache_health, { redis: 'refusing', redis_refuses: `writes (${word})` })
      t.equal((await app.health.check()).status, 'degraded')
      cli(redis, ...end)
      await until(() => app.cache.health().redis === 'healthy', { timeoutMs: 30_000, describe: 'it is over' })
      t.match(about(), [new RegExp(`^warn: Redis refuses writes: ${word} `), 'info: Redis takes writes again'])
    },
  )
}

t.test('after a failover by name the connection to the old server is left, without a restart', async (t) => {
  const [postgres, old, next] = await Promise.all([sharedPostgres(t), redisOf(t), redisOf(t)])
  let { port } = old
  // What a name of a managed Redis leads to. Connections that are there stay.
  const name = createServer((socket) => {
    const server = connect(port, '127.0.0.1')
    socket.on('error', () => server.destroy()).pipe(server)
    server.on('error', () => socket.destroy()).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(name, 'listening')
  t.teardown(() => name.close())
  const address = name.address()
  const REDIS_URL = `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const { app, fill, about } = await cacheWith(t, { DATABASE_URL: await postgres.serviceDatabase(), REDIS_URL })
  await fill()
  cli(old, 'replicaof', '127.0.0.1', String(next.port))
  const isReadOnly = async () => {
    await fill()
    return app.cache.health().redisRefuses === 'writes (READONLY)'
  }
  await until(isReadOnly, { timeoutMs: 10_000, describe: 'it is read-only' })
  port = next.port
  await until(
    async () => {
      await fill()
      return app.redis.info('replication').then((text) => text.includes('role:master'))
    },
    { timeoutMs: 30_000, describe: 'the new server is used' },
  )
  await until(() => app.cache.health().redis === 'healthy', { timeoutMs: 30_000, describe: 'it is over' })
  t.match(about(), [/^warn: Redis refuses writes: READONLY/, 'info: Redis takes writes again'])
  t.equal(about().length, 2, 'that it connected anew is no outage')
})
