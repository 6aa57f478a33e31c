import { cachedTables } from '../../../services/cache-map.js'
import t from 'tap'
import {
  DatabaseUnavailableError,
  type DatabaseOptions,
  migrate,
  openDatabase,
} from '../../../services/database/index.js'
import { readMigrations } from '../../../services/database/migration-files.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { freePort } from '../../helpers/servers/servers.js'
import { conforms, query } from './conformance.js'

const server = await startPostgres()
t.teardown(() => server.stop())

async function open(options: Partial<DatabaseOptions> = {}) {
  return openDatabase({ url: server.url, dataDir: 'unused', ...options })
}

t.test('PostgreSQL keeps the promises of the seam', async (t) => {
  const statementNames: string[] = []
  const database = await open({ url: await server.createDatabase(), onQuery: (name) => statementNames.push(name) })
  t.teardown(() => database.close())
  await migrate(database, cachedTables)
  await conforms(t, { kind: 'postgres', database, statementNames })
})

t.test('of two processes that migrate an empty database at the same time, one does and both succeed', async (t) => {
  const url = await server.createDatabase()
  const databases = await Promise.all([open({ url }), open({ url })])
  const ran = await Promise.all(databases.map((database) => migrate(database, cachedTables)))
  t.same(
    ran.flat(),
    readMigrations().map(({ number, name }) => `${number}.${name}`),
  )
  for (const database of databases) await database.close()
})

t.test('a migration that fails leaves nothing of its transaction', async (t) => {
  const database = await open({ url: await server.createDatabase() })
  await query(database, 'create table mockups (id integer)')
  const refusal = { name: 'CanNotStartError', message: /relation "mockups" already exists.*a schema of its own/ }
  await t.rejects(migrate(database, cachedTables), refusal)
  t.same(await query(database, `select 1 from pg_tables where tablename in ('users', 'roundhouse_migrations')`), [])
  await database.close()
})

t.test('nobody listens at the address: unavailable, for queries, transactions, sessions and migrations', async (t) => {
  const database = await open({ url: `postgresql://postgres@127.0.0.1:${await freePort()}/postgres` })
  const error = await query(database, 'select 1').catch((error: unknown) => error)
  t.match(error, { code: 'DATABASE_UNAVAILABLE', statusCode: 503, cause: { code: 'ECONNREFUSED' } })
  await t.rejects(
    database.transaction(async () => {}),
    DatabaseUnavailableError,
  )
  await t.rejects(
    database.listen('room', () => {}),
    DatabaseUnavailableError,
  )
  await t.rejects(migrate(database, cachedTables), DatabaseUnavailableError)
  await database.close()
})

t.test('a statement past its time is ended by the server, and its connection goes on', async (t) => {
  const database = await open({ poolSize: 1, queryTimeoutMs: 500 })
  const backend = 'select pg_backend_pid() as pid'
  const before = await query(database, backend)
  await t.rejects(query(database, 'select pg_sleep(30)'), { code: 'DATABASE_UNAVAILABLE', cause: { code: '57014' } })
  await t.rejects(
    database.transaction((transaction) => query(transaction, 'select pg_sleep(30)')),
    DatabaseUnavailableError,
  )
  t.same(await query(database, backend), before)
  const other = await open()
  const left = `select query from pg_stat_activity where query like '%pg_sleep(30)%' and state = 'active'
    and pid <> pg_backend_pid()`
  t.same(await query(other, left), [], 'nothing runs on, or waits for a lock, for nobody')
  await other.close()
  await database.close()
})

t.test('an ordinary error keeps the connection in the pool', async (t) => {
  const database = await open({ poolSize: 1 })
  const before = await query(database, 'select pg_backend_pid() as pid')
  await t.rejects(query(database, 'select 1/0'))
  await t.rejects(database.transaction((transaction) => query(transaction, 'select 1/0')))
  t.same(await query(database, 'select pg_backend_pid() as pid'), before)
  await database.close()
})

t.test('the locks of a transaction whose process froze are freed by the server', async (t) => {
  const database = await open({ queryTimeoutMs: 300 })
  await query(database, 'create table locked (id integer)')
  const stuck = database.transaction(async (transaction) => {
    await query(transaction, 'lock table locked')
    const other = await open()
    await query(other, 'insert into locked values (1)')
    await other.close()
  })
  await t.rejects(stuck, DatabaseUnavailableError)
  t.same(await query(database, 'select id from locked'), [{ id: 1 }])
  await database.close()
})

t.test('a full pool makes callers wait, but not for ever', async (t) => {
  const database = await open({ poolSize: 1, connectTimeoutMs: 100 })
  await database.transaction(async () => {
    await t.rejects(query(database, 'select 1'), DatabaseUnavailableError)
  })
  await database.close()
})

t.test('a terminated backend ends its session with the reason, and spares the rest', async (t) => {
  const database = await open()
  const session = await database.listen('room', () => {})
  const [{ pid } = { pid: 0 }] = await session.query<{ pid: number }>({
    name: 'pid',
    text: 'select pg_backend_pid() as pid',
  })
  await query(database, 'select pg_terminate_backend($1)', [pid])
  t.match(await session.closed, { code: 'DATABASE_UNAVAILABLE', cause: { code: '57P01' } })
  await t.rejects(query(session, 'select 1'), DatabaseUnavailableError)
  t.same(await query(database, 'select 1 as one'), [{ one: 1 }])
  await session.close()
  await database.close()
})

t.test('a session that gets no answer in time has ended', async (t) => {
  const database = await open()
  const session = await database.connect(300)
  t.teardown(() => server.resume())
  server.pause()
  await t.rejects(query(session, 'select 1'), DatabaseUnavailableError)
  t.match(await session.closed, { code: 'DATABASE_UNAVAILABLE' })
  server.resume()
  const patient = await database.connect(10_000)
  t.same(await query(patient, `select current_setting('statement_timeout') as limit`), [{ limit: '9s' }])
  await database.close()
})

t.test('a server that is stopped and started again is used again, without a restart of this process', async (t) => {
  const database = await open({ connectTimeoutMs: 500 })
  const session = await database.listen('room', () => {})
  await Promise.all(Array.from({ length: 5 }, () => query(database, 'select pg_sleep(0.05)')))
  const halfway = database.transaction(async (transaction) => {
    await server.stop()
    await query(transaction, 'select 1')
  })
  await t.rejects(halfway, DatabaseUnavailableError)
  t.match(await session.closed, { code: 'DATABASE_UNAVAILABLE' })
  await t.rejects(query(database, 'select 1'), DatabaseUnavailableError)
  await server.restart()
  t.same(await query(database, 'select 1 as one'), [{ one: 1 }])
  await (await database.listen('room', () => {})).close()
  await database.close()
})

t.test('after a crash of the server what was committed is there', async (t) => {
  const database = await open()
  await query(database, 'create table survived (id integer)')
  await server.kill()
  // A backend may answer once more before it notices that its server is gone.
  const isGone = (error: unknown): boolean => error instanceof DatabaseUnavailableError
  const ask = (): Promise<boolean> => query(database, 'select 1').then(() => false, isGone)
  await until(ask, { describe: 'the database is unavailable' })
  await server.restart()
  const rows = await until(() => query(database, 'select * from survived'), { describe: 'the pool recovers' })
  t.same(rows, [])
  await database.close()
})

t.test('a server that hangs is unavailable after the time-out, and closing does not wait for it', async (t) => {
  const database = await open({ queryTimeoutMs: 200, connectTimeoutMs: 200 })
  const session = await database.listen('room', () => {})
  await query(database, 'select 1')
  server.pause()
  t.teardown(() => server.resume())
  await t.rejects(query(database, 'select 1'), DatabaseUnavailableError, 'over the connection it had')
  await t.rejects(query(database, 'select 1'), DatabaseUnavailableError, 'over a new one')
  await t.rejects(query(session, 'select 1'), DatabaseUnavailableError)
  await database.close()
  server.resume()
})
