import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { startService } from '../../helpers/app.js'

const ROWS = 2_500
/** By one statement. */
const MOST = 500
const MOST_CHANGES = 5_000

/** Writes down how many rows each statement has changed. */
const COUNTING = [
  'create table counted (tab text, rows integer)',
  `create function count_rows() returns trigger language plpgsql as $$ begin
    insert into counted select tg_table_name, count(*) from before;
    return null;
  end $$`,
  ...['update on designs', 'delete on designs', 'delete on changes'].map(
    (event, nth) => `create trigger counted_${nth} after ${event} referencing old table as before
      for each statement execute function count_rows()`,
  ),
]

/** Of each table: how many rows were changed, and by one statement at most. */
async function counted(app: FastifyInstance): Promise<unknown> {
  const text = `with gone as (delete from counted returning *)
    select tab, sum(rows)::integer as all, max(rows) as most from gone where rows > 0 group by tab order by tab desc`
  return app.db.query({ name: 'test.counted', text })
}

t.test('what takes many rows along is done by statements of bounded size: each has a limit of time', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const user = await newUser()
  const run = (text: string, values: readonly unknown[] = []) => app.db.query({ name: 'test', text, values })
  for (const statement of COUNTING) await run(statement)
  const template = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
  const [gone, kept] = [await user.post('/api/templates', template), await user.post('/api/templates', template)]
  await run(
    `insert into designs (id, user_id, filename, file_path, platform, template_ids)
      select new_row_id(n), $1::uuid, n::text, '/', 'etsy', array[$2::uuid, $3::uuid] from generate_series(1, ${ROWS}) n`,
    [user.id, gone.body.id, kept.body.id],
  )
  await counted(app)

  t.equal((await user.delete(`/api/templates/${gone.body.id}`)).status, 204)
  t.same(await counted(app), [{ tab: 'designs', all: ROWS, most: MOST }], 'a template that many designs name')
  const [left] = await run('select count(*)::integer as count from designs where template_ids = array[$1::uuid]', [
    kept.body.id,
  ])
  t.same(left, { count: ROWS }, 'they keep the other one')

  await run(
    `insert into changes (version, user_id, row_id, is_deleted, resource)
      select n, $1::uuid, new_row_id(n), true, 'designs' from generate_series(1, 20000) n`,
    [user.id],
  )
  t.equal((await admin.delete(`/api/users/${user.id}`)).status, 204)
  const theirs = [
    { tab: 'designs', all: ROWS, most: MOST },
    { tab: 'changes', most: MOST_CHANGES },
  ]
  t.match(await counted(app), theirs, 'a user with many rows and many changes')
  for (const table of ['designs', 'templates', 'tokens', 'changes']) {
    t.same(await run(`select count(*)::integer as count from ${table} where user_id = $1::uuid`, [user.id]), [
      { count: 0 },
    ])
  }
})
