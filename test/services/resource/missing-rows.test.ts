import pg from 'pg'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

t.test('a row that somebody makes while a batch is written is there for the batch, and the rest is made', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.serviceDatabase()
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const user = await newUser()
  const [other, watcher] = [new pg.Client(url), new pg.Client(url)]
  await Promise.all([other.connect(), watcher.connect()])
  t.teardown(() => Promise.all([other.end(), watcher.end()]))
  const names = ['a', 'b', 'c']
  const bodies = names.map((name) => ({
    filename: name,
    file_path: `/${name}`,
    platform: 'etsy' as const,
    external_id: name,
  }))

  await other.query('begin')
  await other.query(
    `insert into designs (user_id, filename, file_path, platform, external_id) values ($1, 'x', '/x', 'etsy', 'b')`,
    [user.id],
  )
  const writing = app.designs.createMissing(user.id, bodies)
  const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into designs%'`
  await until(async () => (await watcher.query(waits)).rows.length > 0, {
    describe: 'the batch waits for the other row',
  })
  await other.query('commit')
  const [first, second, third] = await writing
  t.match(first, { outcome: 'created' })
  t.match(second, { outcome: 'there' }, 'by its external_id')
  t.match(third, { outcome: 'created' })
  t.equal((await user.get('/api/designs')).body.items.length, 3)
})
