import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import configPlugin, { loadConfig } from '../../plugins/config.js'
import errors from '../../plugins/http/errors.js'
import notFound from '../../plugins/http/not-found.js'
import { createLogger, loggerSettings, loggingOptions } from '../../plugins/logging.js'
import { ServiceUnavailableError } from '../../services/errors.js'

const TOKEN = 'a'.repeat(32)

/** An app that logs into memory, with routes that succeed and fail. */
async function appWith(test: Test, env: Record<string, string>) {
  const config = loadConfig({ ADMIN_TOKENS: TOKEN, ...env })
  const lines: string[] = []
  const logger = createLogger(config, { destination: { write: (line: string) => void lines.push(line) } })
  const app = Fastify(loggingOptions(logger))
  await app.register(configPlugin, { config })
  await app.register(errors)
  await app.register(notFound)
  app.get('/fine', async () => 'fine')
  app.get('/api/cache/health', { logLevel: 'silent' }, async () => 'fine')
  app.get('/broken', async () => {
    throw new Error('out of cheese')
  })
  app.get('/busy', async () => {
    throw new ServiceUnavailableError()
  })
  app.get('/secrets', async (request) => {
    request.log.info({ headers: request.headers, req: { headers: request.headers } }, 'headers')
    return 'fine'
  })
  app.get('/own', { logLevel: 'warn' }, async (request, reply) => {
    request.log.info('too low for this route')
    request.log.warn({ level_is: request.log.level }, 'of the request')
    reply.log.child({ part: 'deep' }).error(new Error('broken'), 'of a part')
    request.log.level = 'info'
    request.log.info('lowered')
    return 'fine'
  })
  test.teardown(() => app.close())
  // The start says where the data is (test/plugins/welcome.test.ts).
  lines.splice(0, 1)
  return {
    app,
    records: (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line)),
    text: () => lines.join(''),
  }
}

t.test('a line has its level as a word, a message, a time, and what Railway says about the replica', async (t) => {
  const ids = {
    RAILWAY_REPLICA_ID: 'r1',
    RAILWAY_REPLICA_REGION: 'eu',
    RAILWAY_DEPLOYMENT_ID: 'd1',
    DATABASE_URL: 'postgres://h/d',
  }
  const { app, records } = await appWith(t, ids)
  app.log.info({ extra: 1 }, 'hello')
  t.match(records(), [
    {
      level: 'info',
      message: 'hello',
      time: /^\d{4}-.*Z$/,
      replica_id: 'r1',
      replica_region: 'eu',
      deployment_id: 'd1',
      extra: 1,
    },
  ])
})

t.test('levels are those that Railway knows, and an error is one line with its stack', async (t) => {
  const { app, records, text } = await appWith(t, {})
  app.log.fatal({ err: new Error('broken\nin two') }, 'An end')
  t.match(records(), [{ level: 'error', message: 'An end', err: { stack: /^Error: broken\nin two\n +at / } }])
  t.equal(text().trim().split('\n').length, 1)
})

t.test('what an operator must know at the start is logged like everything else', async (t) => {
  const lines: string[] = []
  const config = { ...loadConfig({ ADMIN_TOKENS: TOKEN }), isAdminTokenMade: true, deploymentId: 'd1' }
  const app = Fastify(loggingOptions(createLogger(config, { destination: { write: (line) => void lines.push(line) } })))
  t.teardown(() => app.close())
  await app.register(configPlugin, { config })
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { level: 'info', message: 'Database: embedded (PGlite) in ./.data; Redis: none, memory alone' },
      { level: 'warn', message: `ADMIN_TOKENS is not set. Admin token made for this machine: ${TOKEN}` },
      { level: 'warn', message: /DATABASE_URL is not set: data is kept in this container/ },
    ],
  )
})

t.test('a request that went well leaves one line at debug, and none otherwise', async (t) => {
  const quiet = await appWith(t, {})
  await quiet.app.inject('/fine')
  t.same(quiet.records(), [])
  const loud = await appWith(t, { DEBUG_LOGGING: 'true' })
  await loud.app.inject('/fine?limit=1')
  t.match(loud.records(), [
    { level: 'debug', message: 'GET /fine?limit 200', method: 'GET', status: 200, duration_ms: Number },
  ])
  t.equal(loud.records().length, 1)
})

t.test('health checks are never logged', async (t) => {
  const { app, records } = await appWith(t, { DEBUG_LOGGING: 'true' })
  await app.inject('/api/cache/health')
  t.same(records(), [])
})

t.test('a refusal is one line at info, a failure one at error with the error, a 503 one at warn', async (t) => {
  const { app, records } = await appWith(t, {})
  await app.inject('/nowhere')
  await app.inject('/broken')
  await app.inject('/busy')
  t.match(records(), [
    { level: 'info', status: 404 },
    { level: 'error', status: 500, err: { message: 'out of cheese', stack: String } },
    { level: 'warn', status: 503, err: { code: 'SERVICE_UNAVAILABLE' } },
  ])
  t.equal(records().length, 3)
})

t.test(
  'a flood of refusals leaves some lines a second, which say how many were left out, and hides no failure',
  async (t) => {
    const { app, records } = await appWith(t, {})
    for (let n = 0; n < 1_000; n += 1) await app.inject('/nowhere')
    await app.inject('/broken')
    await sleep(100)
    await app.inject('/nowhere')
    const [refusals, failures] = [404, 500].map((status) => records().filter((record) => record['status'] === status))
    t.equal(failures?.length, 1)
    const leftOut = (refusals ?? []).reduce((sum, { left_out = 0 }) => sum + Number(left_out), 0)
    t.ok(leftOut > 100, `${leftOut} left out`)
    t.equal((refusals ?? []).length + leftOut, 1_001)
  },
)

t.test("Railway's request id is used, unless it is too long to be one", async (t) => {
  const { app, records } = await appWith(t, {})
  const ask = async (id: string) => app.inject({ url: '/broken', headers: { 'x-railway-request-id': id } })
  t.match((await ask('railway-1')).json().message, 'railway-1')
  await ask('x'.repeat(65))
  await ask('')
  t.match(records(), [{ request_id: 'railway-1' }, { request_id: /^\w{1,8}$/ }, { request_id: /^\w{1,8}$/ }])
})

t.test('request.log and reply.log are children with the id of the request and the level of the route', async (t) => {
  const { app, records } = await appWith(t, {})
  await app.inject({ url: '/own', headers: { 'x-railway-request-id': 'one' } })
  t.match(records(), [
    { level: 'warn', level_is: 'warn', request_id: 'one', message: 'of the request' },
    { level: 'error', part: 'deep', request_id: 'one', err: { message: 'broken' }, message: 'of a part' },
    { level: 'info', request_id: 'one', message: 'lowered' },
  ])
  t.equal(records().length, 3)
})

t.test('of a URL the path and the keys are logged, neither values nor more than some hundred characters', async (t) => {
  const { app, records, text } = await appWith(t, {})
  await app.inject(`/nowhere?token=${TOKEN}&limit=5&next=/a?token=${TOKEN}`)
  await app.inject(`/${'x'.repeat(15_000)}?${'y'.repeat(500)}=1`)
  t.notMatch(text(), TOKEN)
  t.match(records(), [
    { url: '/nowhere?token&limit&next', message: 'GET /nowhere?token&limit&next 404' },
    { status: 404 },
  ])
  t.ok(text().length < 2_000, `${text().length} characters`)
})

t.test('credentials are not logged with headers', async (t) => {
  const { app, records, text } = await appWith(t, {})
  await app.inject({ url: '/secrets', headers: { authorization: `Bearer ${TOKEN}`, cookie: TOKEN } })
  t.match(records(), [{ headers: { authorization: '[redacted]', cookie: '[redacted]' } }])
  t.notMatch(text(), TOKEN)
})

t.test('pino-pretty is for a terminal outside production', async (t) => {
  const targetOf = (env: Record<string, string>, isTerminal: boolean) => {
    return 'transport' in loggerSettings(loadConfig({ ADMIN_TOKENS: TOKEN, ...env }), isTerminal)
  }
  t.equal(targetOf({}, true), true)
  t.equal(targetOf({}, false), false)
  t.equal(targetOf({ NODE_ENV: 'production', DATABASE: 'embedded' }, true), false)
})
