import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { type MigratableDatabase, migrate, openDatabase } from '../../../services/database/index.js'
import { startService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'

const MIGRATIONS = join(import.meta.dirname, '../../../services/database/migrations')
/** The migrations that the release before did not have. */
const LATER = readdirSync(MIGRATIONS)
  .map((file) => file.split('.'))
  .map(([version, , name]) => ({ version: Number(version), name }))
  .filter(({ version }) => version > 2)
  .map(({ version, name }) => `${version}.${name}`)
const USER = '01a2069f-4382-76fe-94e2-50d41d9cb575'

/** As the release before left it: its two migrations by the same tool's table, rows, and its optional triggers. */
async function makeOld(database: MigratableDatabase): Promise<void> {
  const { createHash } = await import('node:crypto')
  await database.exclusively(async (runner) => {
    await runner.script(
      'create table schema_migrations (version bigint primary key, name text, md5 text, run_at timestamptz)',
    )
    const files = ['001.do.catalogue.sql', '002.do.cache-journal.sql']
    await runner.script(`insert into schema_migrations values (0, '', '', now())`)
    for (const [n, file] of files.entries()) {
      const text = readFileSync(join(MIGRATIONS, file), 'utf8')
      const md5 = createHash('md5').update(text, 'utf8').digest('hex')
      const name = file.split('.')[2]
      await runner.script(text)
      await runner.script(`insert into schema_migrations values (${n + 1}, '${name}', '${md5}', now())`)
    }
    await runner.script(`
      create function catalogue_raise(touched text[], owners text[]) returns void language sql as 'select cache_touch(touched)';
      create function catalogue_rows_changed() returns trigger language plpgsql as 'begin return null; end';
      create trigger catalogue_inserted after insert on designs for each statement execute function catalogue_rows_changed();
      insert into users (id, email, shop_name) values ('${USER}', 'old@example.com', 'An old shop');
      insert into designs (id, user_id, filename, file_path, platform, version)
        values ('01a2069f-0000-7000-8000-000000000001', '${USER}', 'old.png', '/old.png', 'etsy', 7);
      select * from cache_touch(array['*'])`)
  })
  await database.close()
}

t.test('a database of the release before is brought up to this one, and keeps its rows', async (t) => {
  const postgres = await sharedPostgres(t)
  const dataDir = join(temporaryDirectory(), 'data')
  for (const options of [{ url: await postgres.createDatabase(), dataDir: '' }, { dataDir }]) {
    await makeOld(await openDatabase(options))
    const database = await openDatabase(options)
    const ran = await Promise.all([migrate(database, cachedTables), migrate(database, cachedTables)])
    t.same(ran.flat(), LATER, 'once, of two at the same time')
    t.same(await migrate(database, cachedTables), [], 'and not again')
    const left = await database.query({
      name: 'test',
      text: `select proname as name from pg_proc where proname like 'catalogue_%' union all
        select relname from pg_class where relname in ('cache_journal_identity', 'cache_journal_version')`,
    })
    t.same(left, [])
    await database.close()
    const { app, admin } = await startService(t, {
      env: options.url === undefined ? { DATA_DIR: options.dataDir } : { DATABASE_URL: options.url },
    })
    const { body: issued } = await admin.post(`/api/users/${USER}/tokens`, { name: 'new' })
    const answer = await app.inject({
      url: '/api/designs',
      headers: { authorization: `Bearer ${issued.token}` },
    })
    t.match(answer.json(), { items: [{ filename: 'old.png', version: 7 }] })
    const first = await app.db.query({ name: 'test', text: 'select secret from service_secrets' })
    await app.close()
    if (options.url === undefined) {
      const again = await startService(t, { env: { DATA_DIR: options.dataDir } })
      t.same(await again.app.db.query({ name: 'test', text: 'select secret from service_secrets' }), first)
      t.match((await again.admin.get(`/api/users/${USER}`)).body, { email: 'old@example.com' })
      await again.app.close()
    }
  }
})
