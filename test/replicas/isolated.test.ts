import t from 'tap'
import { Link } from '../drills/link.js'
import { type Answer, Caller, startService, type TestService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'

const BOUND_MS = 1_000
/** What "at once" is on a machine that runs other tests as well; a query is given up after 5,000 ms. */
const AT_ONCE_MS = 700
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

t.setTimeout(120_000)

async function timed(asked: Promise<Answer>): Promise<Answer & { readonly ms: number }> {
  const askedAt = performance.now()
  const answer = await asked
  return { ...answer, ms: performance.now() - askedAt }
}

function isolated({ app }: TestService): Promise<unknown> {
  return until(() => app.cache.state === 'isolated', { describe: 'the replica is isolated' })
}

t.test('a replica whose PostgreSQL is frozen', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const env = {
    DATABASE_URL: await postgres.createDatabase(),
    CACHE_STALENESS_BOUND_MS: `${BOUND_MS}`,
    CACHE_STALE_IF_ERROR_SECONDS: '15',
    DATABASE_SILENCE_MS: '700',
  }
  const service = await startService(t, { env })
  const { app, admin, newUser } = service
  const [user, unused, revoked] = [await newUser(), await newUser(), await newUser()]
  const path = `/api/designs/${(await user.post('/api/designs', DESIGN)).body.id}`
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const unread = `/api/templates/${template.id}`
  await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
  const { body: second } = await revoked.post(`/api/users/${revoked.id}/tokens`, { name: 'second' })
  const holder = new Caller(app, second.token)
  t.equal((await holder.get('/api/users/me')).status, 200)
  const warm = async (): Promise<void> => {
    for (const caller of [user, revoked]) for (const read of ['/api/users/me', '/api/designs']) await caller.get(read)
    await user.get(path)
  }
  await warm()
  t.equal((await revoked.delete(`/api/users/${revoked.id}/tokens/${second.id}`)).status, 204)
  await warm()
  // Takes the document of a design that names it out of memory, and leaves the list as it was put together.
  await user.patch(unread, { title: 'Cup' })
  await app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
  postgres.pause()
  const hung = user.patch(path, { description: 'new' })
  await isolated(service)

  await t.test('answers who was known here from memory, marked, and refuses everything else at once', async (t) => {
    const marked = { status: 200, headers: { 'cache-status': /detail=stale-if-error$/, age: /^\d+$/ } }
    for (const read of [path, '/api/designs', '/api/users/me']) {
      const answer = await timed(user.get(read))
      t.match(answer, marked, read)
      t.ok(answer.ms < AT_ONCE_MS, `${answer.ms} ms`)
      t.match(await user.send({ method: 'HEAD', url: read }), { status: 200 }, `HEAD ${read}`)
    }
    const refused: [string, () => Promise<Answer>][] = [
      ['a document that is not in memory', () => user.get(unread)],
      ['a change', () => user.patch(path, { description: 'new' })],
      ['a deletion', () => user.delete(path)],
      ['a new row', () => user.post('/api/designs', DESIGN)],
      ['a change of oneself', () => user.patch('/api/users/me', { shop_name: 'new' })],
      ['one’s tokens', () => user.get(`/api/users/${user.id}/tokens`)],
      ['a new token', () => user.post(`/api/users/${user.id}/tokens`, { name: 'x' })],
      ['a revocation', () => user.delete(`/api/users/${user.id}/tokens/${user.id}`)],
      ['a clear', () => user.post(`/api/cache/clear/user/${user.id}`, {})],
      ['a token that was not used here', () => unused.get('/api/users/me')],
      ['a token that was revoked here', () => holder.get('/api/users/me')],
    ]
    for (const [what, ask] of refused) {
      const answer = await timed(ask())
      t.match(answer, { status: 503, body: { code: 'SERVICE_UNAVAILABLE' }, headers: { 'retry-after': /^\d+$/ } }, what)
      t.ok(answer.ms < AT_ONCE_MS, `${what}: ${answer.ms} ms`)
    }
    const many = await Promise.all(Array.from({ length: 50 }, () => timed(unused.get('/api/designs'))))
    t.ok(
      many.every(({ status, ms }) => status === 503 && ms < AT_ONCE_MS),
      `${Math.max(...many.map(({ ms }) => ms))} ms`,
    )
    t.equal((await hung).status, 503)
    t.match(await user.get(path), marked, 'a write of one’s own that got no answer turns nobody away')
    t.equal((await user.get('/api/users')).status, 403, 'what one may not do anyway')
    t.equal((await new Caller(app, `${user.token}x`).get('/api/designs')).status, 401, 'nor is what was never a token')
  })

  await t.test('answers nobody once CACHE_STALE_IF_ERROR_SECONDS are over', async (t) => {
    await until(async () => (await user.get(path)).status === 503, { timeoutMs: 20_000, describe: 'the time is over' })
    t.equal((await user.get('/api/users/me')).status, 503)
  })

  await t.test('answers everybody again, what it was asked for while it was frozen too', async (t) => {
    postgres.resume()
    await until(() => app.cache.state !== 'isolated', { timeoutMs: 20_000, describe: 'it follows the journal again' })
    for (const [caller, read] of [
      [user, path],
      [user, unread],
      [unused, '/api/designs'],
      [revoked, '/api/users/me'],
    ] as const) {
      await until(async () => (await caller.get(read)).status === 200, {
        timeoutMs: 10_000,
        describe: `${read} is answered`,
      })
    }
    t.equal((await holder.get('/api/users/me')).status, 401)
    t.equal((await admin.get('/api/users')).status, 200)
  })
})

t.test('a revocation that is announced to an isolated replica counts there at once', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const url = new URL(await postgres.createDatabase())
  const elsewhere = await startService(t, { env: { DATABASE_URL: url.href } })
  const link = await Link.open(postgres.port)
  t.teardown(() => link.close())
  const through = new URL(url)
  through.port = `${link.port}`
  // Loads and tails go over the link, announcements past it.
  const env = {
    DATABASE_URL: through.href,
    DATABASE_UNPOOLED_URL: url.href,
    CACHE_STALENESS_BOUND_MS: `${BOUND_MS}`,
    CACHE_STALE_IF_ERROR_SECONDS: '30',
  }
  const here = await startService(t, { env })
  const [user, other] = [await elsewhere.newUser(), await elsewhere.newUser()]
  const readAs = (token: string): Promise<number> => statusOf(here, token)
  for (const { token } of [user, other]) t.equal(await readAs(token), 200)
  await until(() => here.app.cache.health().announcements === 'healthy', { describe: 'it hears announcements' })
  // The tail after LISTEN was there has settled what may have been missed before it.
  await here.app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
  for (const { token } of [user, other]) t.equal(await readAs(token), 200)
  link.blackHole('toServer', 'toClient')
  await isolated(here)
  for (const { token } of [user, other]) t.equal(await readAs(token), 200)
  const [{ id }] = (await elsewhere.admin.get(`/api/users/${user.id}/tokens`)).body.items
  t.equal((await elsewhere.admin.delete(`/api/users/${user.id}/tokens/${id}`)).status, 204)
  await until(async () => (await readAs(user.token)) === 503, { timeoutMs: 3_000, describe: 'the token is refused' })
  t.equal(await readAs(other.token), 200, 'the others are not')
  link.restore()
})

async function statusOf({ app }: TestService, token: string): Promise<number> {
  return (await new Caller(app, token).get('/api/users/me')).status
}
