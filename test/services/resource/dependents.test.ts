import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'

const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

const INSERT = `insert into designs (id, user_id, filename, file_path, platform, template_ids)
  select ('01a2069f-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1::uuid, n::text, '/', 'etsy', array[$2::uuid]
  from generate_series($3::integer, $4::integer, $5::integer) as n`

t.test('what refers to a template is raised with it, and rows that lose it move by themselves', async (t) => {
  const { app, newUser } = await startService(t)
  const user = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  await app.db.query({ name: 'test.insert', text: INSERT, values: [user.id, template.id, 1, 3, 1] })
  const url = '/api/designs/01a2069f-0000-7000-8000-000000000001'
  // The template was made here a moment ago, so its tag is in doubt until the journal has been read.
  await user.get(url)
  await user.get(url)
  t.match((await user.get(url)).headers['cache-status'], /hit/)
  await user.patch(`/api/templates/${template.id}`, { name: 'Cup' })
  t.match((await user.get(url)).headers['cache-status'], /fwd=miss/, 'the entry carries the tag of the template')
  t.match((await user.get(url)).body, { template_ids: [template.id], version: 1 })
  t.equal((await user.delete(`/api/templates/${template.id}`)).status, 204)
  t.match((await user.get(url)).body, { template_ids: [], version: 2 })
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
