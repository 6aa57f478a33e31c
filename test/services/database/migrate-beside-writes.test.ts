import pg from 'pg'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { startService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.test('a replica that starts waits for no write that is open, and holds up none', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.createDatabase()
  const { newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const user = await newUser()
  const { body: design } = await user.post('/api/designs', DESIGN)
  const open = new pg.Client(url)
  await open.connect()
  t.teardown(() => open.end())
  // It has written to every cached table, and by their triggers to the journal.
  await open.query(`begin; update users set shop_name = 'open'; update designs set description = 'open';
    insert into tokens (id, user_id, name, hash) values (gen_random_uuid(), '${user.id}', 'open', 'open');
    with made as (insert into templates (id, user_id, name, title, platform, product_type)
      values (gen_random_uuid(), '${user.id}', 'Mug', 'Mug', 'etsy', 'mug') returning id)
    insert into mockups (id, user_id, name, template_id) select gen_random_uuid(), '${user.id}', 'front', id from made`)
  t.equal(
    (await open.query(`select 1 from pg_locks where relation = 'cache_journal'::regclass`)).rowCount,
    1,
    'the journal is among them',
  )

  const database = await openDatabase({ url, dataDir: 'unused' })
  t.teardown(() => database.close())
  t.same(await migrate(database, cachedTables), [], 'the schema is up to date, and nothing had to wait for that')
  await open.query('rollback')
  t.equal((await user.patch(`/api/designs/${design.id}`, { description: 'after' })).status, 200)
})
