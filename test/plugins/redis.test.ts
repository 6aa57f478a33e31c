import { once } from 'node:events'
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import configPlugin, { loadConfig } from '../../plugins/config.js'
import redisPlugin from '../../plugins/redis.js'
import { until } from '../helpers/deadline.js'
import { startRedis } from '../helpers/servers/redis.js'

async function appWith(test: Test, env: Record<string, string>) {
  const app = Fastify()
  test.teardown(() => app.close())
  await app.register(configPlugin, { config: loadConfig(env) })
  await app.register(redisPlugin)
  await app.ready()
  return app
}

async function redisOf(test: Test) {
  const redis = await startRedis()
  test.teardown(() => redis.stop())
  return redis
}

t.test('fastify.redis is the one client, before and after an outage, and is closed with the app', async (t) => {
  const server = await redisOf(t)
  const app = await appWith(t, { REDIS_URL: server.url })
  const client = app.redis
  t.equal(await client.ping(), 'PONG')
  await server.kill()
  await t.rejects(client.ping())
  await server.restart()
  await until(() => client.ping().catch(() => undefined), { describe: 'Redis answers again' })
  t.equal(app.redis, client)
  const ended = once(client, 'end')
  await app.close()
  await ended
  t.equal(client.status, 'end')
})

t.test('it is there when Redis is down at the start, and takes it up when it comes', async (t) => {
  const server = await redisOf(t)
  await server.kill()
  const startedAt = performance.now()
  const app = await appWith(t, { REDIS_URL: server.url })
  t.ok(performance.now() - startedAt < 5_000, 'the start is not held up')
  const client = app.redis
  await t.rejects(client.ping())
  await server.restart()
  await until(() => client.ping().catch(() => undefined), { describe: 'Redis answers' })
  t.equal(app.redis, client)
})

t.test('a host without an address does not end the client', async (t) => {
  const app = await appWith(t, { REDIS_URL: 'redis://redis.invalid:6379' })
  await t.rejects(app.redis.ping())
  t.not(app.redis.status, 'end')
})

t.test('without a Redis there is no such decorator', async (t) => {
  t.equal((await appWith(t, {})).hasDecorator('redis'), false)
})
