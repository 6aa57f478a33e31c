import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { runSql } from '../../helpers/run-sql.js'
import { startPostgres } from '../../helpers/servers/postgres.js'

const TRIGGERS = `do $$ declare made record; begin
  for made in select tgname, tgrelid::regclass as tab, tgname ~ 'insert_or_update_or_delete$' as is_of_replicas from pg_trigger
    where tgrelid = 'templates'::regclass and not tgisinternal loop
    execute format('alter table %s enable %s trigger %I', made.tab, case when made.is_of_replicas then 'replica' else 'always' end, made.tgname);
  end loop; end $$`

/** What makes it so that the journal can't be made anew after a crash, and what puts it right. */
const CAUSES = {
  'a prepared transaction': [
    `begin; create table others (id integer); prepare transaction 'other'`,
    `rollback prepared 'other'`,
  ],
  'triggers that are off': ['alter table templates disable trigger all', TRIGGERS],
  'a child table': ['create table mockups_child () inherits (mockups)', 'drop table mockups_child'],
} as const

for (const [cause, [make, mend]] of Object.entries(CAUSES)) {
  t.test(`${cause}, and a crash: the database answers every read and write meanwhile`, async (t) => {
    const server = await startPostgres({ max_prepared_transactions: '2' })
    t.teardown(() => server.stop())
    const url = await server.createDatabase()
    const env = { DATABASE_URL: url, CACHE_STALENESS_BOUND_MS: '2000' }
    const service = await startService(t, { env })
    const user = await service.newUser()
    const { body } = await user.post('/api/designs', { filename: 'f.png', file_path: '/f', platform: 'etsy' })
    const path = `/api/designs/${body.id}`
    const isServed = async (): Promise<boolean> => {
      const written = await user.patch(path, { description: `after ${cause}` })
      const read = await user.get(path)
      return written.status === 200 && read.status === 200 && read.body.description === `after ${cause}`
    }
    await runSql(url, make)
    await server.kill()
    await server.restart()
    await until(isServed, { timeoutMs: 20_000, describe: 'reads and writes are answered' })
    await until(() => service.app.cache.state === 'isolated', { timeoutMs: 20_000, describe: 'nothing is cached' })
    t.ok(await isServed())
    await runSql(url, mend)
    await until(() => service.app.cache.state !== 'isolated', { timeoutMs: 20_000, describe: 'it is followed again' })
    t.ok(await isServed())
    await user.get(path)
    t.match((await user.get(path)).headers['cache-status'], /hit/)
  })
}
