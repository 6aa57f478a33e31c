import Fastify from 'fastify'
import t from 'tap'
import configPlugin, { loadConfig } from '../../plugins/config.js'
import welcome from '../../plugins/welcome.js'

async function linesOf(env: Record<string, string>, isTerminal: boolean): Promise<string[]> {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line: string) => void lines.push(JSON.parse(line).msg) } } })
  await app.register(configPlugin, { config: loadConfig({ HOST: '127.0.0.1', ...env }) })
  await app.register(welcome, { isTerminal })
  app.get('/dashboard', () => '')
  await app.listen({ host: '127.0.0.1', port: 0 })
  await app.close()
  return lines
}

const placeOf = async (env: Record<string, string>): Promise<string> => (await linesOf(env, false))[0] ?? ''

t.test('the first line says which database and which Redis, and nothing secret', async (t) => {
  t.equal(await placeOf({ DATA_DIR: '/data' }), 'Database: embedded (PGlite) in /data; Redis: none, memory alone')
  const password = 'p%40ss-word-123'
  const env = {
    DATABASE_URL: `postgresql://me:${password}@db.internal/shop?sslmode=require&application_name=secret-name`,
    REDIS_URL: `rediss://default:${password}@redis.internal:6380/2`,
  }
  t.equal(await placeOf(env), 'Database: PostgreSQL at db.internal:5432/shop; Redis: redis.internal:6380/2, TLS')
  t.match(
    await placeOf({ DATABASE_URL: `postgresql://me:${password}@/shop?host=/run/pg` }),
    'PostgreSQL at /run/pg:5432/shop;',
  )
  t.match(await placeOf({ DATABASE_URL: `postgres://me:${password}@[::1]:6000` }), 'PostgreSQL at [::1]:6000/me;')
  t.match(await placeOf({ REDIS_URL: 'redis://:x@one', REDIS_CLUSTER: 'true' }), 'Redis: the cluster of one:6379')
  const sentinels = { REDIS_SENTINELS: 'one:1,two:2', REDIS_URL: 'redis://:x@h/1', REDIS_SENTINEL_PASSWORD: 'hidden' }
  t.match(await placeOf(sentinels), /Redis: mymaster of the sentinels one:1, two:2$/)
})

t.test('at a terminal the last line of the start says what to open and how to get a token', async (t) => {
  const made = (await linesOf({ DATA_DIR: '/data' }, true)).at(-1)
  t.match(
    made,
    /^Ready: dashboard http:\/\/localhost:\d+\/dashboard, API reference http:\S+\/docs, API http:\S+\/api\. /,
  )
  t.match(made, 'The admin token is in /data/admin-token; with it POST /api/users')
  const token = 'an-admin-token-of-the-tests-0123456789'
  const given = (await linesOf({ ADMIN_TOKENS: token }, true)).at(-1)
  t.match(given, 'An admin token is one of ADMIN_TOKENS')
  t.notMatch(given, token)
  t.notMatch((await linesOf({}, false)).join('\n'), 'Ready:')
})
