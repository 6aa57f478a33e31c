import t from 'tap'
import { type Database, type DatabaseOptions, openDatabase, type Queryable } from '../../../services/database/index.js'
import { startPgbouncer } from '../../helpers/servers/pgbouncer.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { query } from './conformance.js'

const server = await startPostgres({ autovacuum: 'off' })
const pooler = await startPgbouncer(server.port)
t.teardown(async () => {
  await pooler.stop()
  await server.stop()
})

async function open(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  return openDatabase({ url: await server.createDatabase(), dataDir: 'unused', poolSize: 1, ...options })
}

function ask(database: Queryable, text: string, ...values: unknown[]): Promise<object[]> {
  return database.query({ name: 'test.prepared', text, values, isPrepared: true })
}

/** The texts that the server keeps for the one connection. */
async function prepared(database: Queryable): Promise<unknown[]> {
  const rows = await query(database, 'select statement from pg_prepared_statements order by name')
  return rows.map((row) => ('statement' in row ? row.statement : row))
}

t.test('what is asked often is prepared once, and what is not marked never', async (t) => {
  const database = await open()
  for (let n = 0; n < 3; n += 1) t.same(await ask(database, 'select $1::integer as n', n), [{ n }])
  await database.transaction((transaction) => ask(transaction, 'select $1::integer as n', 4))
  await query(database, 'select 1')
  t.same(await prepared(database), ['select $1::integer as n'])
  await database.close()
})

t.test('texts that whoever asks makes up do not pile up on the server', async (t) => {
  const database = await open()
  const answers: object[] = []
  for (let n = 0; n < 100; n += 1) answers.push(...(await ask(database, `select $1::integer as n${n}`, n)))
  t.same(
    answers,
    Array.from({ length: 100 }, (_, n) => ({ [`n${n}`]: n })),
  )
  t.equal((await prepared(database)).length, 8)
  const long = `select ${"''::text, ".repeat(200)}`
  for (let n = 0; n < 100; n += 1)
    await database.query({ name: `long ${n}`, text: `${long} $1::integer as n${n}`, values: [n], isPrepared: true })
  t.equal((await prepared(database)).length, 8 + 32)
  await database.close()
})

t.test('a name is that of its text, whoever prepares it and when', async (t) => {
  const named = async (...texts: string[]): Promise<object[]> => {
    const database = await open()
    for (const text of texts) await ask(database, text)
    const names = await query(database, 'select name from pg_prepared_statements order by name')
    await database.close()
    return names
  }
  const names = await named('select 1 as n', 'select 2 as n')
  t.same(await named('select 2 as n', 'select 1 as n'), names)
  const [other] = await named('select 3 as n')
  t.notOk(names.some((name) => JSON.stringify(name) === JSON.stringify(other)))
})

t.test('behind a pooler nothing is prepared', async (t) => {
  const database = await open({ url: pooler.urlOf(await server.createDatabase()) })
  for (let n = 0; n < 3; n += 1) t.same(await ask(database, 'select $1::integer as n', n), [{ n }])
  t.same(await prepared(database), [])
  await database.close()
})

t.test('a column that becomes another one: reads go on, a transaction is to be repeated', async (t) => {
  const database = await open()
  await query(database, 'create table things (id integer primary key, name text)')
  await query(database, `insert into things values (1, '7')`)
  const read = 'select name from things where id = $1::integer'
  t.same(await ask(database, read, 1), [{ name: '7' }])
  await query(database, 'alter table things alter name type integer using name::integer')
  t.same(await ask(database, read, 1), [{ name: 7 }])
  t.same(await ask(database, read, 1), [{ name: 7 }])
  await query(database, 'alter table things alter name type text')
  const inTransaction = (): Promise<object[]> => database.transaction((transaction) => ask(transaction, read, 1))
  await t.rejects(inTransaction(), { code: 'DATABASE_UNAVAILABLE' })
  t.same(await inTransaction(), [{ name: '7' }])
  await database.close()
})

t.test('a plan that was made for a small table is not kept for a large one', async (t) => {
  const database = await open()
  await query(database, 'create table things (id integer primary key, name text)')
  await query(database, `insert into things select n, 'x' from generate_series(1, 20) n`)
  await query(database, 'vacuum analyze things')
  const read = 'select name from things where id = $1::integer'
  for (let n = 0; n < 10; n += 1) await ask(database, read, 1)
  await query(database, `insert into things select n, 'x' from generate_series(21, 50000) n`)
  const [row] = await query(database, 'select name from pg_prepared_statements')
  const name = row && 'name' in row ? String(row.name) : ''
  const plan = async (): Promise<string> => JSON.stringify(await query(database, `explain execute ${name} (49000)`))
  t.match(await plan(), /Seq Scan on things/, 'the whole table, at first')
  await new Promise((resolve) => setTimeout(resolve, 10_100))
  t.match(await plan(), /Index Scan using things_pkey/)
  t.same(await ask(database, read, 49_000), [{ name: 'x' }])
  await database.close()
})
