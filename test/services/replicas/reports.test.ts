import t from 'tap'
import { systemClock } from '../../../services/cache/index.js'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { Reporter } from '../../../services/replicas/reporter.js'
import { ReplicaReports, SILENT_AFTER_MS } from '../../../services/replicas/reports.js'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const clock = { ...systemClock, ahead: 0, now: () => systemClock.now() + clock.ahead }

async function openMigrated(url: string) {
  const database = await openDatabase({ url, dataDir: 'unused', connectTimeoutMs: 500 })
  await migrate(database, cachedTables)
  return database
}

t.test('each replica has one row, the last that it published', async (t) => {
  const { createDatabase } = await sharedPostgres(t)
  const database = await openMigrated(await createDatabase())
  t.teardown(() => database.close())
  const [one, two] = ['one', 'two'].map((name) => new ReplicaReports({ database, clock, name }))
  if (one === undefined || two === undefined) return

  t.equal(await one.publish({ hits: 1 }), 1)
  t.equal(await two.publish({ text: `it's "quoted" \\ and é` }), 2)
  t.equal(await one.publish({ hits: 2 }), 2, 'so many are there')
  const reports = await one.all()
  t.same(
    reports.map(({ name, isSilent, report }) => ({ name, isSilent, report })),
    [
      { name: 'one', isSilent: false, report: { hits: 2 } },
      { name: 'two', isSilent: false, report: { text: `it's "quoted" \\ and é` } },
    ],
  )
  t.ok(reports.every(({ ageMs }) => ageMs < SILENT_AFTER_MS))

  t.test('one that says nothing any more is silent, then forgotten', async (t) => {
    await database.query({
      name: 'age',
      text: `update replica_reports set at = at - interval '1 min' where name = 'two'`,
    })
    clock.ahead += 1_000
    t.same(
      (await one.all()).map(({ name, isSilent }) => [name, isSilent]),
      [
        ['one', false],
        ['two', true],
      ],
    )
    await database.query({ name: 'age', text: `update replica_reports set at = at - interval '1 h'` })
    await one.publish({ hits: 3 })
    t.same(await database.query({ name: 'look', text: 'select name from replica_reports' }), [{ name: 'one' }])
  })

  t.test('one that ends on purpose is gone at once', async (t) => {
    await one.withdraw()
    clock.ahead += 1_000
    t.same(await one.all(), [])
  })
})

t.test('with the database gone, what was known grows older, and one that is alone still knows itself', async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const database = await openMigrated(await server.createDatabase())
  t.teardown(() => database.close())
  const other = new ReplicaReports({ database, clock, name: 'other' })
  const reports = new ReplicaReports({ database, clock, name: 'this' })
  const reporter = new Reporter({ name: 'this', reports, wallMs: systemClock.wallMs })
  let hits = 1
  reporter.add('cache', () => ({ hits }))
  await other.publish({ hits: 7 })
  t.same(
    (await reporter.all()).map(({ name }) => name),
    ['other', 'this'],
  )

  await server.kill()
  hits = 2
  clock.ahead += SILENT_AFTER_MS
  const all = await reporter.all()
  t.match(all, [
    { name: 'other', isSilent: true, report: { hits: 7 } },
    { name: 'this', ageMs: 0, isSilent: false, report: { cache: { hits: 2 } } },
  ])
  await t.resolves(reporter.publish())
})

t.test('two replicas that listen know each other, and one that closes is gone', async (t) => {
  const { createDatabase } = await sharedPostgres(t)
  const env = { DATABASE_URL: await createDatabase() }
  const [one, two] = [await startService(t, { env }), await startService(t, { env })]
  await one.app.listen({ host: '127.0.0.1', port: 0 })
  await two.app.listen({ host: '127.0.0.1', port: 0 })
  t.not(one.app.replicas.name, two.app.replicas.name)
  const all = await until(
    async () => {
      const reports = await one.app.replicas.all()
      return reports.length === 2 ? reports : undefined
    },
    { timeoutMs: 10_000, describe: 'both are known' },
  )
  t.match(all, [{ report: { cache: { state: /coherent|memory-only/ } } }, { report: { domains: {} } }])
  const isShared = (): boolean => two.app.cache.following().replicas === 2
  await until(isShared, { timeoutMs: 10_000, describe: 'the cache is told how many follow the journal' })
  await two.app.close()
  await until(async () => (await one.app.replicas.all()).length === 1, { describe: 'it is gone' })
})

t.test('the embedded database has one process: nothing is written', async (t) => {
  const statements: string[] = []
  const { app } = await startService(t, {
    env: { DATA_DIR: await preparedPgliteDir() },
    onQuery: (name) => statements.push(name),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  await app.replicas.publish()
  t.equal((await app.replicas.all()).length, 1)
  t.notOk(statements.some((name) => name.startsWith('replica_reports')))
})
