import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { installChanges } from '../../../services/changes/installation.js'
import { type Database, migrate, type MigratableDatabase, openDatabase } from '../../../services/database/index.js'
import { checksumOf, earlierChecksumsOf, readMigrations } from '../../../services/database/migration-files.js'
import { resources } from '../../../services/domains.js'
import { startService } from '../../helpers/app.js'
import { binaryDirectory, startPostgres } from '../../helpers/servers/postgres.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'
import { query } from './conformance.js'

const MIGRATIONS = join(import.meta.dirname, '../../../services/database/migrations')
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const ALL = readMigrations().map(({ number, name }) => `${number}.${name}`)

const server = await startPostgres()
t.teardown(() => server.stop())

async function open(t: { teardown: (work: () => Promise<void>) => void }, url: string): Promise<MigratableDatabase> {
  const database = await openDatabase({ url, dataDir: 'unused' })
  t.teardown(() => database.close())
  return database
}

/** As `role`, without a password: the cluster of the tests trusts everybody. */
function as(role: string, url: string, path?: string): string {
  const other = new URL(url)
  other.username = role
  if (path !== undefined) other.searchParams.set('options', `-c search_path=${path}`)
  return other.href
}

async function script(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(text)
  await client.end()
}

t.test('another tool’s schema_migrations is left as it is', async (t) => {
  const tables = {
    Rails: `create table schema_migrations (version varchar primary key); insert into schema_migrations values ('20260101000000')`,
    'golang-migrate': `create table schema_migrations (version bigint primary key, dirty boolean); insert into schema_migrations values (3, false)`,
    'a Postgrator of somebody else': `create table schema_migrations (version bigint primary key, name text, md5 text, run_at timestamptz);
      insert into schema_migrations values (0, null, null, null), (1, 'shops', 'abc', now()), (9, 'carts', 'def', now())`,
  }
  for (const [tool, text] of Object.entries(tables)) {
    const url = await server.createDatabase()
    await script(url, text)
    const database = await open(t, url)
    const look = `select array(select attname::text from pg_attribute where attrelid = 'schema_migrations'::regclass and attnum > 0) as columns,
      (select json_agg(m) from schema_migrations m) as rows`
    const before = await query(database, look)
    t.same(await migrate(database, cachedTables), ALL, tool)
    t.same(await migrate(database, cachedTables), [], tool)
    t.same(await query(database, look), before, tool)
  }
})

t.test(
  'what an earlier release noted counts, from a checkout with CRLF too, and stays for who rolls back',
  async (t) => {
    for (const lineEnds of [0, 1]) {
      const url = await server.createDatabase()
      const database = await open(t, url)
      const first = readMigrations().filter(({ number }) => number <= 3)
      await script(
        url,
        'create table schema_migrations (version bigint primary key, name text, md5 text, run_at timestamptz)',
      )
      for (const migration of first) {
        const md5 = earlierChecksumsOf(migration)[lineEnds]
        await script(
          url,
          `${migration.text}; insert into schema_migrations values (${migration.number}, '${migration.name}', '${md5}', now())`,
        )
      }
      t.same(await migrate(database, cachedTables), ALL.slice(3))
      t.same(await query(database, 'select max(version)::integer as max from schema_migrations'), [{ max: 3 }])
    }
  },
)

t.test(
  'a migration that was edited since is refused, by what an earlier release noted and by what this one did',
  async (t) => {
    const url = await server.createDatabase()
    const database = await open(t, url)
    await migrate(database, cachedTables)
    await query(database, `update roundhouse_migrations set checksum = 'other' where name = 'catalogue'`)
    await t.rejects(migrate(database, cachedTables), { name: 'CanNotStartError', message: /1\.catalogue was edited/ })
    await script(
      url,
      `create table schema_migrations (version bigint primary key, name text, md5 text);
    insert into schema_migrations values (1, 'catalogue', 'other'); drop table roundhouse_migrations`,
    )
    await t.rejects(migrate(database, cachedTables), { name: 'CanNotStartError', message: /1\.catalogue was edited/ })
  },
)

t.test('line ends of a checkout change no checksum, and numbers may have gaps and meet', async (t) => {
  const folder = temporaryDirectory()
  cpSync(MIGRATIONS, folder, { recursive: true })
  const path = join(folder, '001.do.catalogue.sql')
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('\n', '\r\n'))
  t.same(readMigrations(folder).map(checksumOf), readMigrations().map(checksumOf))
  writeFileSync(join(folder, '003.do.orders.sql'), 'select 1')
  t.equal(readMigrations(folder).length, ALL.length + 1)
  writeFileSync(join(folder, '099.do.orders.sql'), 'select 1')
  t.throws(() => readMigrations(folder), { message: /called orders/ })
  t.throws(() => readMigrations(temporaryDirectory()), { message: /left out of the build/ })
})

t.test('two services in two schemas of one database, by the role and by the address', async (t) => {
  const url = await server.createDatabase()
  await script(
    url,
    `create role shop login; create schema shop authorization shop; create schema "My Mall";
    alter role shop in database ${new URL(url).pathname.slice(1)} set search_path = shop`,
  )
  const urls = [url, as('shop', url), as('postgres', url, '"My\\ Mall"')]
  const ids: string[] = []
  for (const address of urls) {
    const { newUser } = await startService(t, { env: { DATABASE_URL: address } })
    const user = await newUser()
    const { body } = await user.post('/api/designs', DESIGN)
    ids.push(body.id)
    t.equal((await user.patch(`/api/designs/${body.id}`, { description: 'x' })).body.version, 2)
    t.equal((await user.get(`/api/designs/${body.id}`)).body.version, 2)
    t.equal((await user.get('/api/designs')).body.items.length, 1)
  }
  const database = await open(t, url)
  const homes = await query(
    database,
    `select relnamespace::regnamespace::text as home from pg_class where relname = 'designs' order by 1`,
  )
  t.same(homes, [{ home: '"My Mall"' }, { home: 'public' }, { home: 'shop' }])
  const made = await query(
    database,
    'select id::text from public.designs union all select id::text from shop.designs union all select id::text from "My Mall".designs',
  )
  t.same(new Set(made.map((row) => 'id' in row && row.id)), new Set(ids))
})

t.test('who has the lock is named, and waited for no longer than is said', async (t) => {
  const url = await server.createDatabase()
  const database = await open(t, url)
  const holder = new pg.Client({ connectionString: url, application_name: 'a deploy' })
  await holder.connect()
  t.teardown(() => holder.end())
  const { rows } = await holder.query('select pg_backend_pid() as pid')
  await holder.query('begin; select pg_advisory_xact_lock(4917305581)')
  const told: string[] = []
  const startedAt = performance.now()
  const waiting = migrate(database, cachedTables, { onWait: (words) => told.push(words) })
  await t.rejects(waiting, {
    name: 'CanNotStartError',
    message: new RegExp(
      `lock for \\d+ s: process ${rows[0].pid} of the server \\("a deploy", from 127.0.0.1, idle in transaction\\).*Waited 30 s.*pg_terminate_backend\\(${rows[0].pid}\\)`,
    ),
  })
  t.ok(performance.now() - startedAt < 35_000)
  t.ok(told.length >= 4 && told.length <= 7, `told ${told.length} times`)
  const again = migrate(database, cachedTables)
  await sleep(300)
  await holder.query('commit')
  t.same(await again, ALL, 'and once the lock is free it goes on')
})

t.test(
  'a migrator that stops in the middle is ended by the server, and one that waits for a table gives up',
  async (t) => {
    const database = await open(t, await server.createDatabase())
    await database.exclusively(async (runner) => {
      const settings = await runner.query(`select name, setting from pg_settings
      where name in ('idle_in_transaction_session_timeout', 'statement_timeout', 'lock_timeout') order by 1`)
      t.same(settings, [
        { name: 'idle_in_transaction_session_timeout', setting: '20000' },
        { name: 'lock_timeout', setting: '10000' },
        { name: 'statement_timeout', setting: '0' },
      ])
    })
  },
)

/** What a replica under a role needs that owns nothing. */
const RIGHTS = `grant usage on schema public to app;
  alter default privileges grant select, insert, update, delete on tables to app;
  alter default privileges grant execute on functions to app`

t.test('a role that owns nothing serves what another one has migrated', async (t) => {
  const url = await server.createDatabase()
  await script(url, `create role app login; ${RIGHTS}`)
  await t.rejects(migrate(await open(t, as('app', url)), cachedTables), {
    name: 'CanNotStartError',
    message: /may not change it \(permission denied.*as the role that owns it/,
  })
  await migrate(await open(t, url), cachedTables, {
    install: (sql) => installChanges(sql, resources, { isOn: true }),
  })
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: as('app', url) } })
  const user = await newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  const { body: changes } = await user.get('/api/changes')
  t.equal((await user.patch(`/api/designs/${body.id}`, { description: 'x' })).status, 200)
  t.equal((await user.get(`/api/changes?since=${changes.next_cursor}`)).body.changes.length, 1)
  t.match(app.cache.health(), { journal: 'healthy' })
})

t.test('a role that may write one table and nothing else is heard of', async (t) => {
  const url = await server.createDatabase()
  const { newUser } = await startService(t, { env: { DATABASE_URL: url, CACHE_STALENESS_BOUND_MS: '1000' } })
  const user = await newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  await user.get(`/api/designs/${body.id}`)
  await script(url, 'create role etl login; grant select, update on designs to etl')
  await script(as('etl', url), `set search_path = ''; update public.designs set description = 'by etl'`)
  await sleep(1_000)
  t.match((await user.get(`/api/designs/${body.id}`)).body, { description: 'by etl', version: 2 })
})

function tool(name: string, args: readonly string[], input?: Buffer): Buffer {
  return execFileSync(join(binaryDirectory(), name), args, { ...(input && { input }), stdio: ['pipe', 'pipe', 'pipe'] })
}

async function serves(t: Parameters<typeof startService>[0], url: string, userId: string): Promise<Database> {
  const { app, admin, anonymous } = await startService(t, { env: { DATABASE_URL: url } })
  const { body: issued } = await admin.post(`/api/users/${userId}/tokens`, { name: 'restored' })
  const headers = { authorization: `Bearer ${issued.token}` }
  const { body: list } = await anonymous.get('/api/designs', headers)
  t.match(list.items, [{ filename: 'fox.png' }])
  const path = `/api/designs/${list.items[0].id}`
  const patched = await anonymous.send({ method: 'PATCH', url: path, payload: { description: 'r' }, headers })
  t.match(patched, { status: 200, body: { version: list.items[0].version + 1 } })
  t.match((await anonymous.get(path, headers)).body, { description: 'r' })
  t.match(app.cache.health(), { journal: 'healthy' })
  return app.db
}

t.test('a dump is restored: whole, with data alone, under another owner, into another schema', async (t) => {
  const url = await server.createDatabase()
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const user = await newUser()
  await user.post('/api/designs', DESIGN)
  await app.close()

  await t.test('pg_dump | psql', async (t) => {
    const target = await server.createDatabase()
    tool('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', target], tool('pg_dump', [url]))
    await serves(t, target, user.id)
  })

  await t.test('pg_restore by a role with few rights', async (t) => {
    const target = await server.createDatabase()
    await script(
      target,
      'create role restorer login; create schema authorization restorer; grant all on schema public to restorer',
    )
    const dump = tool('pg_dump', ['-Fc', url])
    tool('pg_restore', ['--exit-on-error', '--no-owner', '--no-comments', '-d', as('restorer', target)], dump)
    await serves(t, as('restorer', target), user.id)
  })

  await t.test('data alone, into a migrated database', async (t) => {
    const target = await server.createDatabase()
    const database = await open(t, target)
    await migrate(database, cachedTables)
    await script(target, 'delete from roundhouse_migrations; delete from service_secrets')
    tool(
      'psql',
      ['-qX', '-v', 'ON_ERROR_STOP=1', target],
      tool('pg_dump', ['--data-only', '--no-unlogged-table-data', url]),
    )
    await serves(t, target, user.id)
  })

  await t.test('and renamed: the functions lead to where the tables are now', async (t) => {
    const target = await server.createDatabase()
    tool('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', target], tool('pg_dump', [url]))
    await script(target, 'alter schema public rename to moved; create schema public')
    const db = await serves(t, as('postgres', target, 'moved'), user.id)
    t.same(
      await query(
        db,
        `select proname from pg_proc where proname like 'cache\\_%' and 'search_path=pg_catalog, public, pg_temp' = any (proconfig)`,
      ),
      [],
    )
  })
})
