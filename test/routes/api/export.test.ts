import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Exports, LIMITS } from '../../../services/export/exports.js'
import { resources } from '../../../services/domains.js'
import { startService, type TestService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { imported } from '../../helpers/importing.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const postgres = await sharedPostgres(t)

async function onPostgres(t: Parameters<typeof startService>[0]): Promise<TestService> {
  return startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
}

const designs = (count: number, more: object = {}): object[] =>
  Array.from({ length: count }, (_, n) => ({ filename: `${n}.png`, file_path: '/a', platform: 'etsy', ...more }))

function parsed(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

for (const where of ['embedded', 'server'] as const) {
  t.test(`an export has every row of the user, and nobody else’s: ${where}`, async (t) => {
    const service = where === 'server' ? await onPostgres(t) : await startService(t, { isEmbedded: true })
    const { app, newUser, anonymous, admin } = service
    const [user, other] = [await newUser(), await newUser()]
    const { body: template } = await user.post('/api/templates', {
      name: 'a',
      title: 'a',
      platform: 'etsy',
      product_type: 'mug',
      external_id: 't',
    })
    await imported(app, user.id, designs(1_200, { template_ids: [template.id], metadata: { kind: 'x' } }))
    await imported(
      app,
      user.id,
      designs(5, { file_path: '/large', description: 'é'.repeat(5_000), tags: ['y'.repeat(100)] }),
    )
    await imported(app, other.id, designs(2))
    const answer = await user.get('/api/designs/export')
    t.match(answer, { status: 200, headers: { 'content-type': /^application\/x-ndjson/, 'cache-control': 'no-store' } })
    const lines = parsed(answer.text)
    t.equal(lines.length, 1_205)
    t.equal(new Set(lines.map(({ id }) => id)).size, 1_205)
    t.ok(lines.every(({ kind, user_id: userId }) => kind === 'design' && userId === user.id))
    const { body: item } = await user.get(`/api/designs/${String(lines[0]?.['id'])}`)
    t.match(lines[0], { ...item, created_at: String, updated_at: String, template_external_ids: ['t'] })
    t.equal(String(lines[0]?.['created_at']).slice(0, 23), item.created_at.slice(0, 23))
    t.equal(lines.at(-1)?.['description'], 'é'.repeat(5_000))

    const packed = await user.get('/api/designs/export', { 'accept-encoding': 'gzip' })
    t.equal(packed.headers['content-encoding'], 'gzip')
    t.equal(packed.text, answer.text)
    t.equal((await user.get('/api/mockups/export')).text, '')
    t.match(await anonymous.get('/api/designs/export'), { status: 401 })
    t.match(await admin.get('/api/designs/export'), { status: 403 })
    t.match(await user.send({ method: 'HEAD', url: '/api/designs/export' }), { status: 200, text: '' })
    t.equal(app.exports.count, 0)
  })
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** An export over a real connection, which nobody reads. */
async function unread({ app }: TestService, { token }: UserCaller) {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const headers = { authorization: `Bearer ${token}` }
  const request = httpRequest({ port, host: '127.0.0.1', path: '/api/designs/export', headers, agent: false }).end()
  request.on('error', () => {})
  const [response] = await once(request, 'response')
  response.on('error', () => {})
  return { request, response }
}

t.test('what nobody reads is bounded in number, and free at once when its client has gone', async (t) => {
  const service = await onPostgres(t)
  const { app, newUser } = service
  const [user, other] = [await newUser(), await newUser()]
  // More than sockets hold.
  await imported(app, user.id, designs(4_000, { description: 'x'.repeat(4_900) }))
  await imported(app, other.id, designs(1))
  const open = [await unread(service, user), await unread(service, user)]
  t.match(await user.get('/api/designs/export'), { status: 429, body: { code: 'TOO_MANY_EXPORTS' } })
  t.equal((await other.get('/api/designs/export')).status, 200, 'another user has their own')
  t.equal((await user.get('/api/designs?limit=1')).status, 200)

  await user.post('/api/designs', { filename: 'later.png', file_path: '/later', platform: 'etsy' })
  const [first, second] = open
  second?.request.destroy()
  await until(() => app.exports.count === 1, { describe: 'the export of the client that went is over' })
  let text = ''
  first?.response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  await once(first?.response ?? app.server, 'end')
  t.equal(parsed(text).length, 4_000, 'of the moment at which it began')
  await until(() => app.exports.count === 0, { describe: 'it is over' })
})

t.test('a reader that stops ends its export after the limit, and the transaction with it', async (t) => {
  const service = await onPostgres(t)
  const { app, newUser } = service
  const user = await newUser()
  await imported(app, user.id, designs(2_000, { description: 'x'.repeat(1_900) }))
  for (const [limits, reason] of [
    [{ stallMs: 200 }, /Nobody takes/],
    [{ totalMs: 200 }, /too long/],
  ] as const) {
    const exports = new Exports({ database: app.db, resources }, { ...LIMITS, ...limits })
    const stream = await exports.open(user.id, 'designs', async () => true)
    const closed = new Promise((resolve) => stream.once('close', resolve))
    // What nobody holds goes, a signal with its timer too.
    const collecting = setInterval(collectGarbage, 20)
    await closed
    clearInterval(collecting)
    t.match(stream.errored?.message, reason)
    t.equal(exports.count, 0)
    const idle = await app.db.query({
      name: 'test.idle',
      text: `select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
    })
    t.same(idle, [])
  }
  const over = new Exports({ database: app.db, resources }, LIMITS)
  await over.close()
  const stream = await over.open(user.id, 'designs', async () => true)
  await new Promise((resolve) => stream.once('close', resolve))
  t.match(stream.errored?.message, /closing/, 'nor does one that begins when the service ends')
})

t.test('a token that is revoked, or a user who is deleted, ends the exports that are under way', async (t) => {
  const service = await onPostgres(t)
  const { app, newUser, admin } = service
  for (const end of ['token', 'user']) {
    const user = await newUser()
    await imported(app, user.id, designs(4_000, { description: 'x'.repeat(4_900) }))
    const { body: tokens } = await admin.get(`/api/users/${user.id}/tokens`)
    const { response } = await unread(service, user)
    const url = end === 'user' ? `/api/users/${user.id}` : `/api/users/${user.id}/tokens/${tokens.items[0].id}`
    t.equal((await admin.delete(url)).status, 204)
    const closed = new Promise((resolve) => response.once('close', resolve))
    response.resume()
    await closed
    t.notOk(response.complete, `${end}: its client sees that it is not all`)
    await until(() => app.exports.count === 0, { describe: 'it is over' })
  }
})

t.test('a close of the service does not wait for who reads an export', async (t) => {
  const service = await onPostgres(t)
  const { app, newUser } = service
  const user = await newUser()
  await imported(app, user.id, designs(4_000, { description: 'x'.repeat(4_900) }))
  const { response } = await unread(service, user)
  await app.close()
  const closed = new Promise((resolve) => response.once('close', resolve))
  response.resume()
  await closed
  t.notOk(response.complete, 'its client sees that it is not all')
})

t.test('while the service drains, an export that is under way comes to its end', async (t) => {
  const service = await onPostgres(t)
  const { app, newUser } = service
  const user = await newUser()
  await imported(app, user.id, designs(4_000, { description: 'x'.repeat(4_900) }))
  const { response } = await unread(service, user)
  app.drain(50)
  const closing = app.close()
  response.resume()
  await once(response, 'end')
  t.ok(response.complete)
  await closing
})
