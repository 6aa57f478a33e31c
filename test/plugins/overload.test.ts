import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import pg from 'pg'
import t, { type Test } from 'tap'
import config, { loadConfig } from '../../plugins/config.js'
import overload from '../../plugins/overload.js'
import { startService, type TestService, type UserCaller } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
const BUSY = { status: 503, headers: { 'retry-after': /^\d+$/ }, body: { code: 'SERVICE_UNAVAILABLE' } }

/** Half a second where the machine is free; the lock, or the line, would take five. */
const SOON_MS = 3_000

const postgres = await startPostgres()
t.teardown(() => postgres.stop())

/**
 * On a server that this file may break. The bounds of staleness and of silence are those of production.
 * @param isPaced otherwise how busy this machine is does not decide how many loads are let in
 */
async function start(
  t: Test,
  env: Readonly<Record<string, string>> = {},
  isPaced = false,
): Promise<TestService & { url: string; user: UserCaller; id: string }> {
  const url = await postgres.createDatabase()
  const service = await startService(t, {
    env: { DATABASE_URL: url, DATABASE_SILENCE_MS: '700', CACHE_STALENESS_BOUND_MS: '1000', ...env },
  })
  const user = await service.newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  await user.get(`/api/designs/${body.id}`)
  await until(() => service.app.pace.share === 1, { describe: 'what is slow about a start is over' })
  if (!isPaced) service.app.pace.tick = () => {}
  return { ...service, url, user, id: body.id }
}

/** Locks a table until it is told to end. */
async function locked(t: Test, url: string, table: string): Promise<() => Promise<void>> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  await client.query(`begin; lock table ${table} in access exclusive mode`)
  let isEnded = false
  const end = async (): Promise<void> => {
    if (isEnded) return
    isEnded = true
    await client.end()
  }
  t.teardown(end)
  return end
}

async function timed<T>(work: Promise<T>): Promise<T & { readonly ms: number }> {
  const from = performance.now()
  const result = await work
  return { ...result, ms: performance.now() - from }
}

t.test('all connections held by a locked table: hits go on, news come in, the rest is 503 soon', async (t) => {
  const { user, id, url, app, newUser } = await start(t, {
    DATABASE_POOL_SIZE: '2',
    DATABASE_QUEUE_MS: '500',
    DATABASE_WRITE_QUEUE_MS: '500',
  })
  const other = await newUser()
  await other.get('/api/designs')
  const unlock = await locked(t, url, 'designs')
  const held = [user.patch(`/api/designs/${id}`, { description: 'a' }), other.post('/api/designs', DESIGN)]
  await until(() => app.db.load.inside === 2, { describe: 'all connections are held' })

  const late = await Promise.all([
    timed(user.get('/api/templates')),
    timed(other.post('/api/templates', {})),
    timed(other.post('/api/designs', DESIGN)),
  ])
  t.match(late[0], BUSY, 'a miss')
  t.equal(late[1].status, 400, 'what needs no database')
  t.match(late[2], BUSY, 'a write')
  for (const { ms } of late) t.ok(ms < SOON_MS, `${Math.round(ms)} ms`)
  // The user's own write doubts nothing before it has ended, and the journal is followed.
  t.match(await user.get(`/api/designs/${id}`), { status: 200, headers: { 'cache-status': /hit/ } })
  const writer = new pg.Client(url)
  await writer.connect()
  await writer.query(`update users set shop_name = 'Another' where id = $1`, [user.id])
  await writer.end()
  await sleep(1_000)
  t.equal(app.cache.state, 'memory-only', 'tails have a connection of their own')
  t.equal((await timed(app.inject('/api/cache/health'))).statusCode, 200)
  // A clear is one write of the journal, and waits for none of the others.
  const cleared = await timed(app.cache.clear().then(() => ({})))
  t.ok(cleared.ms < SOON_MS, `${Math.round(cleared.ms)} ms`)

  await unlock()
  await Promise.all(held)
  await until(async () => (await other.post('/api/designs', DESIGN)).status === 201, { describe: 'writes go on' })
  t.match(app.db.load, { inside: 0, waiting: 0 })
})

t.test('who waits behind loads of their own is told soon too', async (t) => {
  const { user, url } = await start(t, { DATABASE_QUEUE_MS: '500', CACHE_STALENESS_BOUND_MS: '20000' })
  const unlock = await locked(t, url, 'designs')
  // Two of one user are in at a time, and wait for the lock; there are connections for more.
  const lists = Array.from({ length: 12 }, (_, n) => timed(user.get(`/api/designs?tag=own${n}`)))
  await sleep(SOON_MS + 500)
  await unlock()
  const answers = await Promise.all(lists)
  const refused = answers.filter(({ status }) => status === 503)
  t.equal(refused.length, 10)
  for (const answer of refused) t.match(answer, BUSY)
  const longest = Math.max(...refused.map(({ ms }) => ms))
  t.ok(longest < SOON_MS, `the longest waited ${Math.round(longest)} ms`)
})

t.test('the line is bounded: who comes when it is full is refused at once', async (t) => {
  const { user, id, url, app } = await start(t, {
    DATABASE_POOL_SIZE: '1',
    DATABASE_QUEUE_LENGTH: '4',
    DATABASE_QUEUE_MS: '5000',
    DATABASE_WRITE_QUEUE_MS: '5000',
    CACHE_STALENESS_BOUND_MS: '20000',
  })
  const unlock = await locked(t, url, 'designs')
  const users = 'select 1 as one'
  const waiting = Array.from({ length: 4 }, () => app.db.query({ name: 'test.one', text: users }))
  const held = user.patch(`/api/designs/${id}`, { description: 'a' })
  await until(() => app.db.load.inside === 1 && app.db.load.waiting >= 3, { describe: 'the line grows' })
  waiting.push(app.db.query({ name: 'test.one', text: users }))
  for (const each of waiting) each.catch(() => {})
  await until(() => app.db.load.isFull, { describe: 'the line is full' })
  const refused = await timed(user.post('/api/designs', DESIGN))
  t.match(refused, BUSY)
  t.ok(refused.ms < SOON_MS, `${Math.round(refused.ms)} ms`)
  t.equal((await user.get(`/api/designs/${id}`)).status, 200, 'a hit')
  await unlock()
  await held
  await Promise.allSettled(waiting)
  t.ok(app.db.load.refused > 0)
})

t.test('the pace hears how late the event loop is, and what part of that was work of this process', async (t) => {
  const { app } = await start(t, {}, true)
  const ticks: { readonly lateMs: number; readonly busy: number }[] = []
  app.pace.tick = (lateMs, busy) => void ticks.push({ lateMs, busy })
  const { user, system } = process.cpuUsage()
  const from = performance.now()
  while (performance.now() - from < 300);
  const passed = performance.now() - from
  const worked = process.cpuUsage({ user, system })
  const isLate = () => ticks.find(({ lateMs }) => lateMs > 200)
  const late = await until(isLate, { describe: 'a tick was late' })
  // As far as this machine had a core for it.
  const had = (worked.user + worked.system) / 1_000 / passed
  t.ok(late.busy > had * 0.8, `${late.busy.toFixed(2)} of one core, where ${had.toFixed(2)} were there`)
})

t.test(
  'while the pace is slow fewer loads and writes are let in at a time, and those that wait for a lock hold up nobody',
  async (t) => {
    const { user, id, url, app } = await start(t, { DATABASE_POOL_SIZE: '4', CACHE_STALENESS_BOUND_MS: '20000' }, true)
    const late = setInterval(() => app.pace.tick(100, 1), 5)
    t.teardown(() => clearInterval(late))
    await until(() => app.pace.share < 0.1, { describe: 'the pace is slow' })
    const unlock = await locked(t, url, 'designs')
    const writes = Array.from({ length: 4 }, () => user.patch(`/api/designs/${id}`, { description: 'a' }))
    await until(() => app.db.load.inside + app.db.load.waiting >= 4, { describe: 'all have come' })
    t.ok(app.db.load.waiting > 0, 'not all of them are let in at once')
    t.equal(app.db.poolUse?.allowed, 1)
    await until(() => app.db.load.inside === 4, { describe: 'those that wait for the lock hold up nobody' })
    t.equal(app.db.poolUse?.allowed, 1)
    clearInterval(late)
    await unlock()
    for (const { status } of await Promise.all(writes)) t.equal(status, 200)
    await until(() => app.pace.share === 1, { describe: 'it is as fast as before' })
  },
)

t.test('a read that is in doubt does not wait for the bound when nothing comes from the server', async (t) => {
  const { user, app } = await start(t, { CACHE_STALENESS_BOUND_MS: '60000' })
  await user.get('/api/designs')
  t.teardown(() => postgres.resume())
  postgres.pause()
  app.cache.doubt([`${user.id}/designs/rows`])
  const read = timed(user.get('/api/designs?tag=a'))
  const { ms } = await read
  t.match(await read, BUSY)
  t.ok(ms < 10_000, `${Math.round(ms)} ms`)
  postgres.resume()
})

t.test('a Postgres that hangs: who waits is told within a second, and all is as before within five', async (t) => {
  const { user, id, app, newUser } = await start(t)
  const others = await Promise.all(Array.from({ length: 4 }, () => newUser()))
  for (const other of others) await other.get('/api/users/me')
  t.teardown(() => postgres.resume())
  postgres.pause()
  const asked = Array.from({ length: 60 }, (_, n) => {
    const one = others[n % others.length] ?? user
    return n % 2 === 0 ? timed(one.post('/api/designs', DESIGN)) : timed(one.get(`/api/designs?tag=t${n}`))
  })
  const answers = await Promise.all(asked)
  const longest = Math.max(...answers.map(({ ms }) => ms))
  for (const answer of answers) t.match(answer, BUSY)
  // 0.9 s where the machine is free; without the watch for silence it is 5 s.
  t.ok(longest <= 2_500, `the longest waited ${Math.round(longest)} ms`)
  const later = await timed(others[0]?.post('/api/designs', DESIGN) ?? Promise.reject(new Error('nobody')))
  t.match(later, BUSY)
  t.ok(later.ms < 600, `once it is known nobody waits: ${Math.round(later.ms)} ms`)
  t.equal((await user.get(`/api/designs/${id}`)).status, 200, 'what memory has is answered, and marked')
  postgres.resume()
  const from = performance.now()
  await until(async () => (await user.post('/api/designs', DESIGN)).status === 201, { describe: 'writes go on' })
  await until(() => app.cache.state === 'memory-only', { describe: 'the journal is followed' })
  t.ok(performance.now() - from < 5_000, `${Math.round(performance.now() - from)} ms`)
})

t.test('a server that hangs is waited for as long as DATABASE_SILENCE_MS says', async (t) => {
  const { user } = await start(t, { DATABASE_SILENCE_MS: '2500' })
  t.teardown(() => postgres.resume())
  postgres.pause()
  const answer = await timed(user.post('/api/designs', DESIGN))
  postgres.resume()
  t.match(answer, BUSY)
  t.ok(answer.ms > 2_000, `${Math.round(answer.ms)} ms`)
})

t.test('a start that keeps the event loop busy is no overload', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(config, { config: loadConfig({ MAX_LOOP_DELAY_MS: '10' }) })
  await app.register(overload)
  const late = setInterval(() => {
    for (const until = performance.now() + 60; performance.now() < until;);
  }, 1)
  await sleep(4_000)
  clearInterval(late)
  t.notOk(app.isOverloaded())
})

t.test('a slow statement is no silence', async (t) => {
  const { app } = await start(t, { CACHE_STALENESS_BOUND_MS: '60000' })
  const slow = { name: 'test.sleep', text: 'select 1 as one from pg_sleep(2)' }
  t.same(await app.db.query(slow), [{ one: 1 }], 'although no tail comes meanwhile')
})

t.test('a late event loop: loads and writes are refused, hits and health are not; much later, hits too', async (t) => {
  const { user, id, app } = await start(t, { MAX_LOOP_DELAY_MS: '40', CACHE_STALENESS_BOUND_MS: '20000' })
  let blockMs = 90
  const blocking = setInterval(() => {
    const until = performance.now() + blockMs
    while (performance.now() < until);
  }, 1)
  t.teardown(() => clearInterval(blocking))
  await until(() => app.isOverloaded(), { describe: 'it is late', timeoutMs: 10_000 })
  t.match(await user.get('/api/templates?tag=new'), BUSY, 'a load')
  t.match(await user.post('/api/designs', DESIGN), BUSY, 'a write')
  t.match(await user.get(`/api/designs/${id}`), { status: 200, headers: { 'cache-status': /hit/ } })
  blockMs = 400
  await until(async () => (await user.get(`/api/designs/${id}`)).status === 503, {
    describe: 'it is much later: a hit is refused',
    timeoutMs: 30_000,
  })
  t.equal((await app.inject('/api/cache/health')).statusCode, 200)
  clearInterval(blocking)
  await until(async () => (await user.post('/api/designs', DESIGN)).status === 201, { describe: 'it is over' })
})

t.test(
  'a client that goes away in mid-load leaves nothing behind: its load ends, and is kept for the next',
  async (t) => {
    const { user, url, app } = await start(t, { CACHE_STALENESS_BOUND_MS: '20000' })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    // Their token is looked up before, or that would be the load which is seen.
    await user.get('/api/templates')
    const unlock = await locked(t, url, 'designs')
    const headers = { authorization: `Bearer ${user.token}` }
    const gone = Array.from({ length: 20 }, () => {
      const request = httpRequest({ port, path: '/api/designs?tag=gone', headers }).on('error', () => {})
      request.end()
      return request
    })
    await until(() => app.db.load.inside === 1, { describe: 'one load for all of them' })
    for (const request of gone) request.destroy()
    await unlock()
    await until(() => app.db.load.inside === 0, { describe: 'it has ended' })
    t.match(await user.get('/api/designs?tag=gone'), { status: 200, headers: { 'cache-status': /hit/ } })
  },
)

t.test('two hundred writes at once of one user are done, also where one is done at a time', async (t) => {
  const { newUser } = await startService(t, { isEmbedded: true, env: { DATABASE_WRITE_QUEUE_MS: '60000' } })
  const user = await newUser()
  const made = await Promise.all(Array.from({ length: 200 }, () => user.post('/api/designs', DESIGN)))
  t.same(new Set(made.map(({ status }) => status)), new Set([201]))
  const changed = await Promise.all(
    made.map(({ body }) => user.patch(`/api/designs/${body.id}`, { description: 'all at once' })),
  )
  t.same(new Set(changed.map(({ status }) => status)), new Set([200]))
})
