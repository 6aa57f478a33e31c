import pg from 'pg'
import t from 'tap'
import { type CachedTable, createJournal, installJournal, openCache } from '../../../../services/cache/index.js'
import { sharedPostgres } from '../../../helpers/servers/shared-servers.js'

const server = await sharedPostgres(t)
const pool = new pg.Pool({ connectionString: await server.createDatabase() })
// The server may say goodbye to a connection that is being closed.
pool.on('error', () => {})
pool.on('connect', (client) => client.on('error', () => {}))
t.teardown(() => pool.end())

const rest = { list: [], owner: 'all' } as const

/** Installs the journal for a table of these columns, and says what a write of each statement raises. */
async function raised(table: CachedTable, columns: string, ...statements: string[]): Promise<unknown[]> {
  const name = pg.escapeIdentifier(table.table)
  await pool.query(`create table ${name} (${columns})`)
  await installJournal(pool, [table])
  await pool.query('truncate cache_journal')
  for (const text of statements) await pool.query(text.replaceAll('$table', () => name))
  const { rows } = await pool.query<{ tags: string[] }>('select tags from cache_journal order by ctid')
  return rows.map(({ tags }) => tags.toSorted())
}

t.test('a column may have any name, also one that a trigger uses', async (t) => {
  const columns =
    'id integer primary key, o integer, n integer, tag text, each text, few text, looked bigint, raised text'
  const statements = [
    `insert into $table values (1, 1, 1, 'x', 'e', 'f', 1, 'r'), (2, 2, 2, 'x', 'e', 'f', 2, 'r')`,
    `update $table set n = 3`,
    `update $table set tag = 'y' where id = 1`,
    `delete from $table where id = 2`,
  ]
  const table = { ...rest, table: 'names', row: '{tag}/{n}/{id}', key: 'id' }
  t.same(await raised(table, columns, ...statements), [
    ['x/1/1', 'x/2/2'],
    ['x/1/1', 'x/2/2', 'x/3/1', 'x/3/2'],
    ['x/3/1', 'y/3/1'],
    ['x/3/2'],
  ])
})

t.test('a column of a tag may have any type', async (t) => {
  const columns = `id integer primary key, document jsonb, words text[], letter "char", flag boolean`
  const statements = [
    `insert into $table values (1, '{"a": 1}', '{a,b}', 'c', true)`,
    `update $table set flag = false where id = 1`,
  ]
  const table = { ...rest, table: 'types', row: ['a/{document}', 'b/{words}', '{letter}/c', 'd/{flag}'] }
  const others = ['a/{"a": 1}', 'b/{a,b}', 'c/c']
  t.same(await raised(table, columns, ...statements), [
    [...others, 'd/true'],
    [...others, 'd/false', 'd/true'],
  ])
})

/** Not every build of PostgreSQL comes with it. */
const { rowCount: isThere } = await pool.query(`select from pg_available_extensions where name = 'ltree'`)
const skip = isThere === 0 && 'this server has no ltree'

t.test('a key may be of a type whose operators are in another schema', { skip }, async (t) => {
  await pool.query('create schema extensions; create extension ltree schema extensions')
  const statements = [
    `insert into $table values ('a'), ('b')`,
    `update $table set note = 'n'`,
    `update $table set id = 'c' where id::text = 'b'`,
  ]
  const table = { ...rest, table: 'trees', row: '{id}' }
  t.same(await raised(table, 'id extensions.ltree primary key, note text', ...statements), [
    ['a', 'b'],
    ['a', 'b'],
    ['b', 'c'],
  ])
})

t.test('two tables whose long names begin alike raise their own tags each', async (t) => {
  const long = 'a_name_that_says_what_is_in_the_table_and_for_whom'
  const [one, two] = [`${long}_one`, `${long}_two`]
  await pool.query(`create table ${one} (id integer primary key); create table ${two} (code integer primary key)`)
  await installJournal(pool, [
    { ...rest, table: one, row: 'one/{id}' },
    { ...rest, table: two, row: 'two/{code}', key: 'code' },
  ])
  await pool.query('truncate cache_journal')
  await pool.query(`insert into ${one} values (1)`)
  await pool.query(`insert into ${two} values (2)`)
  const { rows } = await pool.query('select tags from cache_journal order by ctid')
  t.same(rows, [{ tags: ['one/1'] }, { tags: ['two/2'] }])
})

t.test('a name may hold what stands for something else elsewhere', async (t) => {
  const table = { ...rest, table: `it's "$&$' of $$`, row: `"{I'd}'`, key: `I'd` }
  t.same(await raised(table, `"I'd" integer primary key`, 'insert into $table values (1)'), [[`"1'`]])
  const cache = await openCache({ journal: createJournal({ sql: pool, tables: [table] }) })
  t.equal(cache.state, 'memory-only')
  await cache.close()
})

t.test('a column that is not there is told by the installation, and not by the next write', async (t) => {
  await pool.query('create table pairs (a integer, b integer, primary key (a, b))')
  const pairs = { ...rest, table: 'pairs', row: '{a}/{b}', key: 'a' }
  for (const [wrong, column] of [
    [{ ...pairs, row: '{a}/{c}' }, 'c'],
    [{ ...rest, table: 'pairs', row: '{a}/{b}' }, 'id'],
    [{ ...pairs, listColumns: ['d'] }, 'd'],
    [{ ...pairs, byColumn: { e: 'all' } }, 'e'],
    [{ ...pairs, updatedAt: 'f' }, 'f'],
    [{ ...pairs, generated: ['g'] }, 'g'],
  ] as const)
    await t.rejects(installJournal(pool, [wrong]), { message: `column pairs.${column} does not exist` })
  await installJournal(pool, [pairs])
})

t.test('a table that is named twice is refused: its tags would be those of one of the two', async (t) => {
  const tables = ['a', 'b'].map((row) => ({ ...rest, table: 'pairs', row }))
  await t.rejects(installJournal(pool, tables), /named twice/)
  t.throws(() => createJournal({ sql: pool, tables }), /named twice/)
})

t.test('a journal of no tables is there for what is raised by hand', async (t) => {
  await installJournal(pool, [])
  const cache = await openCache({ journal: createJournal({ sql: pool, tables: [] }) })
  const read = async (value: string) => (await cache.getOrLoad('key', { tags: ['a'] }, async () => value)).value
  t.equal(await read('one'), 'one')
  t.equal(await read('two'), 'one')
  await cache.invalidate(['a'])
  t.equal(await read('three'), 'three')
  await cache.close()
})

t.test('who has not installed the journal for these very tables is told to', async (t) => {
  const tables = [{ ...rest, table: 'pairs', row: 'never/{a}', key: 'a' }]
  await t.rejects(
    openCache({ journal: createJournal({ sql: pool, tables }) }),
    /run installJournal for these very tables$/,
  )
})
