import pg from 'pg'
import t, { type Test } from 'tap'
import { ADMIN_TOKEN, startService } from '../../helpers/app.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { startPgbouncer } from '../../helpers/servers/pgbouncer.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { openDatabase } from '../../../services/database/index.js'
import { query } from './conformance.js'

/** What a database or a role of somebody else's may carry. */
const HOSTILE = {
  DateStyle: `'German'`,
  IntervalStyle: `'sql_standard'`,
  TimeZone: `'Asia/Kolkata'`,
  client_encoding: `'LATIN1'`,
  application_name: `'somebody'`,
  default_transaction_isolation: `'serializable'`,
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  statement_timeout: '1',
  lock_timeout: '1',
  idle_in_transaction_session_timeout: '1',
  idle_session_timeout: '1',
  search_path: `'nowhere'`,
  row_security: 'off',
  standard_conforming_strings: 'off',
  extra_float_digits: '-15',
  array_nulls: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  gin_fuzzy_search_limit: '1',
}

/** PgBouncer's own settings of a session that it hands on would be past 1 ms. */
const HOSTILE_BEHIND_A_POOLER = {
  ...HOSTILE,
  statement_timeout: '10',
  idle_in_transaction_session_timeout: '10',
  idle_session_timeout: '1000',
}

const DESIGN = { filename: 'Füchse.png', file_path: 'C:\\fox.png', platform: 'etsy', tags: [`it's`, '\\'] }
const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

const server = await startPostgres()
const pooler = await startPgbouncer(server.port)
t.teardown(async () => {
  await pooler.stop()
  await server.stop()
})

async function setAll(url: string, of: 'database' | 'role', settings: Readonly<Record<string, string>> = HOSTILE) {
  const client = new pg.Client(url)
  await client.connect()
  const name = new URL(url).pathname.slice(1)
  const target = of === 'database' ? `database ${name}` : `role postgres in database ${name}`
  await client.query(
    `begin read write; ${Object.entries(settings)
      .map(([setting, value]) => `alter ${target} set ${setting} = ${value}`)
      .join('; ')}; commit`,
  )
  await client.end()
}

/** Everything that a customer does, by replicas that start at the same time. */
async function serves(t: Test, env: Readonly<Record<string, string>>): Promise<void> {
  const start = () => startService(t, { env })
  const [service, second] = await Promise.all([start(), env['DATA_DIR'] === undefined ? start() : undefined])
  const other = second ?? service
  const user = await service.newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const created = await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
  t.match(created, { status: 201, body: { ...DESIGN, created_at: /^20\d\d-\d\d-\d\dT[\d:.]+Z$/ } })
  t.ok(Math.abs(Date.parse(created.body.created_at) - Date.now()) < 60_000, 'a moment ago')
  const url = `/api/designs/${created.body.id}`
  const changes = Array.from({ length: 10 }, (_, n) => user.patch(url, { description: `${n}` }))
  t.same(new Set((await Promise.all(changes)).map(({ status }) => status)), new Set([200]))
  const headers = { authorization: `Bearer ${user.token}` }
  t.match(await other.anonymous.get(`/api/designs?template_id=${template.id}`, headers), {
    status: 200,
    body: { items: [{ id: created.body.id, version: 11 }] },
  })
  t.match(await user.post(`/api/users/${user.id}/tokens`, { name: 'late', expires_at: '2036-02-03T04:05:06.789Z' }), {
    status: 201,
    body: { expires_at: '2036-02-03T04:05:06.789Z' },
  })
  t.equal((await user.delete(`/api/templates/${template.id}`)).status, 204)
  t.same((await user.get(url)).body.template_ids, [])
  t.equal((await service.admin.post('/api/cache/clear', {})).status, 200)
  t.equal((await service.admin.delete(`/api/users/${user.id}`)).status, 204)
  t.match((await service.anonymous.get('/api/cache/health', { authorization: `Bearer ${ADMIN_TOKEN}` })).body, {
    cache_health: { journal: 'healthy', database: 'healthy', loads: 'healthy' },
  })
  for (const { app } of new Set([service, other])) await app.close()
}

for (const of of ['database', 'role'] as const) {
  t.test(`settings that the ${of} carries do not reach the service`, async (t) => {
    const url = await server.createDatabase()
    await setAll(url, of)
    await serves(t, { DATABASE_URL: url })
  })

  t.test(`nor behind a transaction pooler that takes no parameters, settings of the ${of}`, async (t) => {
    const url = await server.createDatabase()
    await setAll(url, of, HOSTILE_BEHIND_A_POOLER)
    await serves(t, { DATABASE_URL: pooler.urlOf(url) })
    await serves(t, { DATABASE_URL: pooler.urlOf(url), DATABASE_UNPOOLED_URL: url })
  })
}

t.test('what the database is given later does not lead to another schema, nor what the role is called', async (t) => {
  const url = await server.createDatabase()
  await serves(t, { DATABASE_URL: url })
  const database = await openDatabase({ url, dataDir: 'unused' })
  await query(database, 'create schema elsewhere')
  await query(database, 'create schema postgres')
  const homes = `select relnamespace::regnamespace::text as home from pg_class where relname = 'designs'`
  await serves(t, { DATABASE_URL: url })
  await setAll(url, 'database', { search_path: 'elsewhere' })
  await serves(t, { DATABASE_URL: url })
  // In all databases: one in which nothing is yet would not be begun by it.
  await query(database, 'alter role postgres set search_path = gone')
  await serves(t, { DATABASE_URL: url })
  await query(database, 'alter role postgres reset search_path')
  t.same(await query(database, homes), [{ home: 'public' }])
  await database.close()
})

t.test('a connection that was made before a setting keeps what it has, and so does one made after it', async (t) => {
  const url = await server.createDatabase()
  const database = await openDatabase({ url, dataDir: 'unused', poolSize: 2 })
  const settings = 'select name, setting from pg_settings where lower(name) = any($1::text[]) order by name'
  const names = Object.keys(HOSTILE).map((name) => name.toLowerCase())
  const before = await query(database, settings, [names])
  t.equal(before.length, names.length)
  await setAll(url, 'database')
  await database.transaction(async (transaction) => {
    t.same(await query(database, settings, [names]), before, 'made after it')
    t.same(await query(transaction, settings, [names]), before, 'made before it')
  })
  await database.close()
})

t.test('nor do they reach it from the embedded database', async (t) => {
  const dataDir = await preparedPgliteDir()
  const first = await openDatabase({ dataDir })
  const [{ name } = { name: '' }] = await first.query<{ name: string }>({
    name: 'test',
    text: 'select current_database() as name',
  })
  for (const setting of ['DateStyle', 'IntervalStyle', 'search_path', 'default_transaction_isolation'] as const)
    await query(first, `alter database ${name} set ${setting} = ${HOSTILE[setting]}`)
  await first.close()
  await serves(t, { DATA_DIR: dataDir })
})
