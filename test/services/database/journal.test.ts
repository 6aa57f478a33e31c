import t, { type Test } from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { type Database, migrate, openDatabase, openJournal } from '../../../services/database/index.js'
import { Link } from '../../drills/link.js'
import { migrated } from '../../helpers/migrated.js'
import { runSql } from '../../helpers/run-sql.js'
import { type PostgresServer, startPostgres } from '../../helpers/servers/postgres.js'

const PID = { name: 'test', text: 'select pg_backend_pid() as pid' }
const END_OF_TAILS = `select pg_terminate_backend(pid, 5000) from pg_stat_activity where query ~ '^select cache_.*_tail' and pid <> pg_backend_pid()`
const EMPTIED = 'alter table templates disable trigger all; delete from cache_journal_state'
const ANOTHER = /leads to another history of the database/

/** A pool of one connection over a link that may lead to another server, and the journal of the first one. */
async function setUp(t: Test) {
  const [server, other] = [await startPostgres(), await startPostgres()]
  const url = await server.createDatabase()
  const link = await Link.open(server.port)
  const at = (port: number): string => Object.assign(new URL(url), { port }).href
  // The same database by name and schema.
  await other.createDatabase()
  await migrated({ url: at(other.port), dataDir: '' })
  const database = await openDatabase({ url: at(link.port), dataDir: '', poolSize: 1 })
  t.teardown(async () => {
    await database.close()
    link.close()
    await Promise.all([server.stop(), other.stop()])
  })
  await migrate(database, cachedTables)
  const journal = openJournal(database, { tables: cachedTables, tailTimeoutMs: 5_000 })
  t.teardown(() => journal.close?.())
  await journal.tail(undefined, undefined)
  t.ok((await journal.tail(undefined, undefined)).identity)
  return { server, other, url, at, link, database, journal }
}

/** The connection of the pool ends, and that of the tails stays. */
async function newConnection(url: string, database: Database): Promise<void> {
  const [row] = await database.query<{ pid: number }>(PID)
  await runSql(url, `select pg_terminate_backend(${row?.pid}, 5000)`)
}

t.test('a new connection has to lead to the server whose journal is read', async (t) => {
  const { other, url, server, link, database, journal } = await setUp(t)
  await newConnection(url, database)
  t.ok(await database.query(PID), 'the same one')
  await newConnection(url, database)
  link.lead(other.port)
  await t.rejects(database.query(PID), ANOTHER)
  const standby: PostgresServer = await startPostgres({}, { standbyOf: server })
  t.teardown(() => standby.stop())
  link.lead(standby.port)
  await t.rejects(database.query(PID), /unlogged relations during recovery/, 'a standby shows what was')
  link.lead(other.port)
  await runSql(url, END_OF_TAILS)
  await journal.tail(undefined, undefined)
  t.ok(await database.query(PID), 'once the tails come from there')
  t.ok((await journal.tail(undefined, undefined)).identity)
})

t.test('that server is known also while its journal is empty, and can not be made anew', async (t) => {
  const { other, url, at, link, database, journal } = await setUp(t)
  await runSql(url, EMPTIED)
  t.match((await journal.tail(undefined, undefined)).fault, /on templates/)
  await newConnection(url, database)
  t.ok(await database.query(PID), 'the database answers')
  await newConnection(url, database)
  link.lead(other.port)
  await t.rejects(database.query(PID), ANOTHER)
  await runSql(at(other.port), EMPTIED)
  await runSql(url, END_OF_TAILS)
  t.match((await journal.tail(undefined, undefined)).fault, /on templates/)
  t.ok(await database.query(PID), 'once the tails come from there')
})

t.test('after an orderly restart the journal’s epoch lets a connection in before the next tail', async (t) => {
  const { server, database } = await setUp(t)
  await server.restart()
  t.ok(await database.query(PID))
})
