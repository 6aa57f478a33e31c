import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { ADMIN_TOKEN, Caller, startService } from '../../../helpers/app.js'
import { until } from '../../../helpers/deadline.js'

const LOOKER = 'a-token-that-may-only-look-0123456789'
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
type Told = { name: string; data: any }

/** A stream over a real connection, with what it has told so far. */
async function watch(address: string, token: string) {
  const abort = new AbortController()
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${address}/api/cache/live`, { headers, signal: abort.signal })
  const told: Told[] = []
  const ended = (async () => {
    let text = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) {
        const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
        if (name !== '') told.push({ name, data: JSON.parse(data) })
      }
    }
  })()
  ended.catch(() => undefined)
  return { response, told, ended, leave: () => abort.abort() }
}

async function listen(app: FastifyInstance): Promise<string> {
  return app.listen({ port: 0, host: '127.0.0.1' })
}

t.test('the live figures', async (t) => {
  const env = { ADMIN_TOKENS: `ops:${ADMIN_TOKEN},looker:read:${LOOKER}` }
  const { app, anonymous, admin, newUser } = await startService(t, { env })
  const address = await listen(app)
  const user = await newUser()

  await t.test('are for administrators and those who may look', async (t) => {
    t.equal((await anonymous.get('/api/cache/live')).status, 401)
    t.equal((await user.get('/api/cache/live')).status, 403)
    t.equal((await new Caller(app, 'an-invented-token-0123456789-0123456789').get('/api/cache/live')).status, 401)
    t.equal((await admin.send({ method: 'HEAD', url: '/api/cache/live' })).status, 405, 'a HEAD would never end')
  })

  await t.test('tell what was read, by tier and domain, and how long it took', async (t) => {
    const stream = await watch(address, LOOKER)
    t.match(stream.response.headers.get('content-type'), 'text/event-stream')
    t.equal(stream.response.headers.get('cache-control'), 'no-store')
    const { id } = (await user.post('/api/designs', DESIGN)).body
    for (let n = 0; n < 5; n++) await user.get(`/api/designs/${id}`)
    const last = () => stream.told.at(-1)?.data.replicas?.[0]
    await until(async () => last()?.domains.designs?.memory_hits === 4, { describe: 'the hits are told' })
    t.match(stream.told[0], { name: 'hello', data: { may_clear: false, replica: String } })
    t.equal(stream.told[0]?.data.samples.length >= 1, true)
    const replica = last()
    t.match(replica, { is_silent: false, age_ms: 0, cache: { state: 'memory-only', bound_ms: 20_000 } })
    t.match(replica.domains, { designs: { of: 'documents', misses: 1 }, tokens: { of: 'principals' } })
    const count = (pairs: number[]) => pairs.reduce((all, value, n) => (n % 2 === 1 ? all + value : all), 0)
    t.equal(count(replica.figures.latencies.memory), 4)
    t.equal(count(replica.figures.latencies.miss), 1)
    t.match(replica.figures.turns.at(-1), { part: 'replica', state: 'memory-only' })
    await until(
      async () =>
        last().figures.heard.some((heard: { tags: string[] }) => heard.tags.includes(`${user.id}/designs/${id}`)),
      {
        describe: 'the change is told, by its tags',
      },
    )
    stream.leave()
  })

  await t.test('an administrator may clear, and is told so', async (t) => {
    const stream = await watch(address, ADMIN_TOKEN)
    await until(async () => stream.told.length > 0, { describe: 'the greeting' })
    t.match(stream.told[0]?.data, { may_clear: true })
    stream.leave()
  })

  await t.test('twenty streams at a time, and room again when one has gone', async (t) => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => watch(address, LOOKER)))
    t.same([...new Set(streams.map(({ response }) => response.status))], [200])
    const refused = await admin.get('/api/cache/live')
    t.match(refused, { status: 429, body: { code: 'TOO_MANY_WATCHERS' } })
    t.ok(refused.headers['retry-after'])
    for (const stream of streams) stream.leave()
    const isFree = async () => {
      const one = await watch(address, LOOKER)
      one.leave()
      return one.response.status === 200
    }
    await until(isFree, { describe: 'there is room' })
  })

  await t.test('the service closes although somebody looks, and the stream ends properly', async (t) => {
    const stream = await watch(address, LOOKER)
    await until(async () => stream.told.length > 1, { describe: 'the first figures' })
    const startedAt = performance.now()
    const closing = app.close()
    await stream.ended
    t.ok(performance.now() - startedAt < 1_000, 'at once, not when a time limit is over')
    await closing
  })
})

t.test('without PERFORMANCE_MONITORING there are figures, but no latencies', async (t) => {
  const { app } = await startService(t, { env: { PERFORMANCE_MONITORING: 'false' } })
  const stream = await watch(await listen(app), ADMIN_TOKEN)
  await until(async () => stream.told.length > 1, { describe: 'the first figures' })
  t.equal(stream.told[1]?.data.replicas[0].figures.latencies, null)
  stream.leave()
})
