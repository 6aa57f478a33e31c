import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/postgres.js'

const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

const INSERT = `insert into designs (id, user_id, filename, file_path, platform, template_ids)
  select ('01a2069f-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1::uuid, n::text, '/', 'etsy', array[$2::uuid]
  from generate_series($3::integer, $4::integer, $5::integer) as n`

t.test('above a thousand dependents one tag of the owner stands for all of them', async (t) => {
  const { app, newUser } = await startService(t)
  const user = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const raisedBy = async (write: () => Promise<unknown>): Promise<number> => {
    const count = {
      name: 'test.count',
      text: 'select count(*)::integer as n, max(version)::integer as v from cache_journal',
    }
    const [before] = await app.db.query<{ v: number }>(count)
    await write()
    const text = 'select tag from cache_journal where version > $1::integer'
    const rows = await app.db.query<{ tag: string }>({ name: 'test.raised', text, values: [before?.v] })
    return rows.some(({ tag }) => tag === `${user.id}/all`) ? -1 : rows.length
  }
  const rename = () => user.patch(`/api/templates/${template.id}`, { name: 'Cup' })

  await app.db.query({ name: 'test.insert', text: INSERT, values: [user.id, template.id, 1, 1000, 1] })
  t.equal(await raisedBy(rename), 1002, 'a thousand designs, the template and its lists')
  await app.db.query({ name: 'test.insert', text: INSERT, values: [user.id, template.id, 1001, 1001, 1] })
  t.equal(await raisedBy(rename), -1)
  const last = '/api/designs/01a2069f-0000-7000-8000-000000001001'
  await user.get(last)
  t.equal(await raisedBy(() => user.delete(`/api/templates/${template.id}`)), -1)
  t.match((await user.get(last)).body, { template_ids: [], version: 2 })
})

t.test('a delete locks the rows that refer to it in the order of their ids', async (t) => {
  const postgres = await startPostgres({ deadlock_timeout: '100ms', enable_indexscan: 'off' })
  t.teardown(() => postgres.stop())
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.createDatabase() } })
  const user = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  // The highest id first: a scan of the table, or of the bitmap of an index, comes upon that row first.
  await app.db.query({ name: 'test.insert', text: INSERT, values: [user.id, template.id, 9, 1, -1] })
  const lock = (n: number) => ({
    name: 'test.lock',
    text: 'select id from designs where id = $1::uuid for update',
    values: [`01a2069f-0000-7000-8000-00000000000${n}`],
  })
  const waiting = { name: 'test.waiting', text: 'select 1 from pg_locks where not granted' }

  let deleting = Promise.resolve(0)
  await app.db.transaction(async (transaction) => {
    await transaction.query(lock(1))
    deleting = user.delete(`/api/templates/${template.id}`).then(({ status }) => status)
    await until(async () => (await app.db.query(waiting)).length > 0, {
      describe: 'the delete waits for the first row',
    })
    await transaction.query(lock(9))
  })
  t.equal(await deleting, 204)
})
