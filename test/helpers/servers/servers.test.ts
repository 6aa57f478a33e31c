import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import { until } from '../deadline.js'
import { startRedis } from './redis.js'
import { TYPESCRIPT } from '../typescript.js'

t.test('a Redis server is stopped, frozen, killed and started again at the same address', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const ask = async <T>(work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(server.url, { maxRetriesPerRequest: 1, commandTimeout: 200, retryStrategy: () => 20 })
    redis.on('error', () => {})
    return work(redis).finally(() => redis.disconnect())
  }

  await ask((redis) => redis.set('kept', '1'))
  server.pause()
  await t.rejects(ask((redis) => redis.get('kept')))
  server.resume()
  t.equal(await ask((redis) => redis.get('kept')), '1')

  const { pid } = server
  await server.restart()
  t.not(server.pid, pid)
  t.equal(await ask((redis) => redis.get('kept')), '1')
  await server.restart({ empty: true })
  t.equal(await ask((redis) => redis.get('kept')), null)

  await server.kill()
  await t.rejects(ask((redis) => redis.get('kept')))
  await server.restart()
  t.equal(await ask((redis) => redis.ping()), 'PONG')
})

t.test('servers end with the process that started them, even when it is killed', async (t) => {
  const script = `
    const { startRedis } = await import(${JSON.stringify(new URL('./redis.js', import.meta.url).href)})
    const { startPostgres } = await import(${JSON.stringify(new URL('./postgres.js', import.meta.url).href)})
    console.log(JSON.stringify([(await startRedis()).pid, (await startPostgres()).pid]))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, [TYPESCRIPT, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output]: unknown[] = await once(child.stdout, 'data')
  const pids: unknown = JSON.parse(String(output))
  if (!Array.isArray(pids)) throw new Error('two process ids')
  t.ok(pids.every((pid) => existsSync(`/proc/${pid}`)))
  child.kill('SIGKILL')
  await until(() => !pids.some((pid) => existsSync(`/proc/${pid}`)), { describe: 'both servers end' })
})
