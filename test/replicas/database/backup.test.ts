import { execFile } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { installChanges } from '../../../services/changes/installation.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { resources } from '../../../services/domains.js'
import { startService, type TestService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { runSql } from '../../helpers/run-sql.js'
import { binaryDirectory, startPostgres, unprivilegedUser } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'

/** The rehearsal of docs/runbook.md: a dump of the database that serves, restored into a fresh one, and the service led there. */
const RUNBOOK = join(import.meta.dirname, '../../../docs/runbook.md')
const BOUND_MS = 1_000
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.setTimeout(120_000)

/** The service under test is in this process: it serves meanwhile. */
async function run(program: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(join(binaryDirectory(), program), args, { ...unprivilegedUser(), cwd: '/' })
}

async function dumpOf(url: string): Promise<string> {
  const directory = temporaryDirectory()
  chmodSync(directory, 0o777)
  const dump = join(directory, 'backup.dump')
  await run('pg_dump', '-Fc', '--no-unlogged-table-data', '-f', dump, url)
  return dump
}

/** As `node dist/migrate.js` does. */
async function migrateStep(url: string): Promise<void> {
  const database = await openDatabase({ url, dataDir: '' })
  try {
    await migrate(database, cachedTables, { install: (sql) => installChanges(sql, resources, { isOn: true }) })
  } finally {
    await database.close()
  }
}

t.test(
  'a backup restored into a fresh database: what Redis and the old database had since is not served',
  async (t) => {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
    t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
    const start = (url: string): Promise<TestService> =>
      startService(t, { env: { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` } })
    const oldUrl = await postgres.createDatabase()
    const old = await start(oldUrl)
    const user = await old.newUser()
    const made = async (description: string): Promise<string> =>
      (await user.post('/api/designs', { ...DESIGN, description })).body.id
    const [design, deleted, busy] = [await made('in the backup'), await made('deleted later'), await made('busy')]
    const { body: spare } = await user.post(`/api/users/${user.id}/tokens`, { name: 'spare' })
    const read = async (service: TestService, id: string, token = user.token): Promise<unknown> => {
      const { status, body } = await service.anonymous.get(`/api/designs/${id}`, { authorization: `Bearer ${token}` })
      return status === 200 ? body.description : status
    }

    // The dump is taken while writes go on: whichever it has of them, it has whole.
    const dumping = new AbortController()
    const writing = (async () => {
      for (let n = 0; !dumping.signal.aborted; n++)
        await user.patch(`/api/designs/${busy}`, { description: `write ${n}` })
    })()
    await until(async () => (await read(old, busy)) !== 'busy', { describe: 'writes go on' })
    const dump = await dumpOf(oldUrl)
    dumping.abort()
    await writing

    // What happens after the backup, known to every tier.
    await user.patch(`/api/designs/${design}`, { description: 'after the backup' })
    await user.delete(`/api/designs/${deleted}`)
    const later = await made('made later')
    await user.delete(`/api/users/${user.id}/tokens/${spare.id}`)
    const since = [design, deleted, later]
    for (let n = 0; n < 4; n++) for (const id of since) await read(old, id)
    t.equal(await read(old, design, spare.token), 401)

    // Restored beside the old one, which serves meanwhile.
    const freshUrl = await postgres.createDatabase()
    const restored = run('pg_restore', '--exit-on-error', '-d', freshUrl, dump)
    t.equal(await read(old, design), 'after the backup')
    await restored
    const fresh = [await start(freshUrl), await start(freshUrl)]
    for (let n = 0; n < 4; n++) {
      for (const service of fresh) {
        t.equal(await read(service, design), 'in the backup')
        t.equal(await read(service, deleted), 'deleted later')
        t.equal(await read(service, later), 404)
        t.match(await read(service, busy), /^write \d+$/)
        t.equal(
          await read(service, design, spare.token),
          'in the backup',
          'a token that was revoked since is good again',
        )
      }
      t.equal(await read(old, design), 'after the backup')
      t.equal(await read(old, deleted), 404)
    }
    t.same(
      fresh.map(({ app }) => app.cache.state),
      ['coherent', 'coherent'],
    )

    // The overlap of the deployment: each writes to its own database, and hears of its own alone.
    const [one, two] = fresh as [TestService, TestService]
    const patched = await one.anonymous.patch(
      `/api/designs/${design}`,
      { description: 'on the fresh one' },
      { authorization: `Bearer ${user.token}` },
    )
    t.equal(patched.status, 200)
    await user.patch(`/api/designs/${deleted}`, { description: 'gone' })
    await sleep(BOUND_MS)
    t.equal(await read(two, design), 'on the fresh one')
    t.equal(await read(old, design), 'after the backup')
    await old.app.close()

    // And once more when a replica is new: from Redis now, of this database.
    const third = await start(freshUrl)
    t.equal(await read(third, design), 'on the fresh one')
    await runSql(freshUrl, `update designs set description = 'by psql' where id = '${design}'`)
    await sleep(BOUND_MS)
    for (const service of [...fresh, third])
      t.equal(await read(service, design), 'by psql', 'its triggers came with the backup')
  },
)

t.test('the data alone, into a schema that is there: users keep their tokens', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const [oldUrl, url] = [await postgres.createDatabase(), await postgres.createDatabase()]
  const old = await startService(t, { env: { DATABASE_URL: oldUrl } })
  const user = await old.newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  const dump = await dumpOf(oldUrl)
  await old.app.close()

  await migrateStep(url)
  const [, taken = ''] = /^psql .* -c '(delete [^']+)'$/m.exec(readFileSync(RUNBOOK, 'utf8')) ?? []
  await runSql(url, taken)
  await run('pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-d', url, dump)
  await migrateStep(url)
  const { app, anonymous } = await startService(t, { env: { DATABASE_URL: url } })
  t.equal(app.cache.state, 'memory-only')
  const headers = { authorization: `Bearer ${user.token}` }
  t.equal((await anonymous.get(`/api/designs/${body.id}`, headers)).status, 200)
  t.equal((await anonymous.patch(`/api/designs/${body.id}`, { description: 'on' }, headers)).status, 200)
  t.equal((await anonymous.get('/api/changes', headers)).status, 200)
  t.same(await runSql(url, 'select count(*)::integer from changes_state'), [{ count: 1 }])
})

t.test('a dump from before a migration goes into an empty schema, and nowhere else', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const url = await postgres.createDatabase()
  const service = await startService(t, { env: { DATABASE_URL: url } })
  const user = await service.newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  await service.app.close()
  await runSql(
    url,
    `drop table idempotency_keys, replica_reports;
     delete from roundhouse_migrations where name in ('idempotency-keys', 'replica-reports', 'idempotent-bulk')`,
  )
  const dump = await dumpOf(url)
  await migrateStep(url)

  const clean = ['--single-transaction', '--clean', '--if-exists']
  await t.rejects(run('pg_restore', ...clean, '-d', url, dump), 'the table that it does not know refers to users')
  await migrateStep(url)
  t.same(await runSql(url, 'select id from designs'), [{ id: body.id }], 'and all is as it was')
  await runSql(url, 'drop table idempotency_keys')
  await run('pg_restore', ...clean, '-d', url, dump)
  await t.rejects(migrateStep(url), { message: /a dump older than the schema .*docs\/runbook\.md/ })

  await runSql(url, 'drop schema public cascade; create schema public')
  await run('pg_restore', '--exit-on-error', '-d', url, dump)
  await migrateStep(url)
  const { anonymous } = await startService(t, { env: { DATABASE_URL: url } })
  const answer = await anonymous.get(`/api/designs/${body.id}`, { authorization: `Bearer ${user.token}` })
  t.equal(answer.status, 200)
})
