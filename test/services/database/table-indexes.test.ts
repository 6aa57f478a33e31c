import pg from 'pg'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, type MigratableDatabase, openDatabase } from '../../../services/database/index.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const THERE = `select indexname as name, tablename as table from pg_indexes where schemaname = current_schema() and indexname ~ '_list_' order by 1`

/** Roles are the server's, which other tests use too. */
let roles = 0

function namesIn(database: MigratableDatabase): Promise<object[]> {
  return database.query({ name: 'test', text: THERE })
}

t.test('the indexes of lists are made from the definitions, and kept as these are', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.createDatabase()
  for (const options of [{ dataDir: await preparedPgliteDir() }, { url, dataDir: '' }]) {
    const database = await openDatabase(options)
    t.teardown(() => database.close())
    await migrate(database, cachedTables)
    const expected = cachedTables
      .flatMap(({ table, indexes = [] }) => indexes.map(({ name }) => ({ name, table })))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    t.equal(expected.length, 10)
    t.same(await namesIn(database), expected)

    const [first] = expected
    await database.query({ name: 'test', text: `drop index ${first?.name}` })
    // Of an earlier definition, and two that are somebody's own.
    for (const name of ['designs_list_terms_00000000', 'designs_list_mine', 'users_list_name_00000000']) {
      await database.query({ name: 'test', text: `create index ${name} on ${name.split('_')[0]} (id)` })
    }
    const after = async (): Promise<string[]> => {
      await migrate(database, cachedTables)
      return ((await namesIn(database)) as { name: string }[]).map(({ name }) => name)
    }
    const own = [...expected.map(({ name }) => name), 'designs_list_mine', 'users_list_name_00000000']
    t.same(await after(), [...own, OLD].sort(), 'replicas of the release before may still ask by it')
    t.same(await after(), [...own, OLD].sort(), 'and when the next one starts')
    await database.query({ name: 'test', text: A_DAY_LATER })
    t.same(await after(), own.sort(), 'a day later they are gone')
  }
})

const OLD = 'designs_list_terms_00000000'
const A_DAY_LATER = `do $$ begin execute format('comment on index ${OLD} is %L',
  regexp_replace(obj_description('${OLD}'::regclass, 'pg_class'), '[0-9]{4}-', '2024-')); end $$`

t.test('an old index is dropped when nobody is in the way, and one that is wanted again stays', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.createDatabase()
  const [database, busy] = [await openDatabase({ url, dataDir: '' }), new pg.Client(url)]
  await busy.connect()
  t.teardown(() => Promise.all([database.close(), busy.end()]))
  await migrate(database, cachedTables)
  const run = (text: string): Promise<object[]> => database.query({ name: 'test', text })
  const isThere = async (): Promise<boolean> =>
    ((await namesIn(database)) as { name: string }[]).some(({ name }) => name === OLD)
  const tables = cachedTables.map((table) => {
    const index = { name: OLD, text: '(id, user_id)', settings: '' }
    return table.table === 'designs' ? { ...table, indexes: [...(table.indexes ?? []), index] } : table
  })
  await migrate(database, tables)
  await migrate(database, cachedTables)
  await run(A_DAY_LATER)
  await busy.query('begin; select from designs')
  await migrate(database, cachedTables)
  t.equal(await isThere(), true, 'nobody waited for the one who reads')
  await busy.query('rollback')
  await migrate(database, tables)
  await migrate(database, cachedTables)
  t.equal(await isThere(), true, 'its day begins anew')
  await run(A_DAY_LATER)
  const [, ...others] = cachedTables.map((table) => ({ ...table, indexes: table.indexes?.slice(1) ?? [] }))
  await migrate(database, [cachedTables[0]!, ...others])
  t.equal(await isThere(), true, 'what another release noted may be what the one that serves asks by')
  await migrate(database, cachedTables)
  await run(A_DAY_LATER)
  await migrate(database, cachedTables)
  t.equal(await isThere(), false)
})

t.test('the release before leaves the index of this one alone when it starts beside it', async (t) => {
  const postgres = await sharedPostgres(t)
  const database = await openDatabase({ url: await postgres.createDatabase(), dataDir: '' })
  t.teardown(() => database.close())
  await migrate(database, cachedTables)
  const pattern = /_list_[a-z_]+_[0-9a-f]{8}$/
  const names = (await namesIn(database)).map((index) => (index as { name: string }).name)
  t.same(
    names.filter((name) => name.includes('_terms_') && pattern.test(name)),
    [],
    'it looks for its own by this pattern',
  )
})

t.test('a role that may not change the schema starts where nothing is to be done', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.createDatabase()
  const owner = await openDatabase({ url, dataDir: '' })
  const role = `list_role_${process.pid}_${(roles += 1)}`
  t.teardown(async () => {
    for (const text of [`drop owned by ${role}`, `drop role ${role}`]) await owner.query({ name: 'test', text })
    await owner.close()
  })
  await migrate(owner, cachedTables)
  await owner.query({ name: 'test', text: `create role ${role} login` })
  for (const text of [
    `grant select, insert, update, delete on all tables in schema public to ${role}`,
    'revoke create on schema public from public',
  ]) {
    await owner.query({ name: 'test', text })
  }
  const reader = await openDatabase({ url: url.replace('postgres@', `${role}@`), dataDir: '' })
  t.teardown(() => reader.close())
  t.same(await migrate(reader, cachedTables), [])
  const [index] = cachedTables.flatMap(({ indexes = [] }) => indexes)
  await owner.query({ name: 'test', text: `drop index ${index?.name}` })
  await t.rejects(migrate(reader, cachedTables), { name: 'CanNotStartError', message: /this role may not change it/ })
})

t.test('a role that only writes tables needs no right to any function', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.createDatabase()
  const owner = await openDatabase({ url, dataDir: '' })
  const role = `list_role_${process.pid}_${(roles += 1)}`
  t.teardown(async () => {
    for (const text of [`drop owned by ${role}`, `drop role ${role}`]) await owner.query({ name: 'test', text })
    await owner.close()
  })
  const run = (on: MigratableDatabase, text: string): Promise<object[]> => on.query({ name: 'test', text })
  await run(owner, 'alter default privileges revoke execute on functions from public')
  await migrate(owner, cachedTables)
  await run(owner, `create role ${role} login`)
  await run(owner, `grant select, insert, update on users, designs to ${role}`)
  const writer = await openDatabase({ url: url.replace('postgres@', `${role}@`), dataDir: '' })
  t.teardown(() => writer.close())
  const id = '01a2069f-4382-76fe-94e2-50d41d9cb575'
  await run(writer, `insert into users (id, email, shop_name) values ('${id}', 'a@example.com', 'A')`)
  await run(
    writer,
    `insert into designs (id, user_id, filename, file_path, platform) values ('${id}', '${id}', 'É', '/a', 'etsy')`,
  )
  await run(writer, `update designs set tags = '{Ä,b}'`)
  await run(owner, `alter default privileges grant execute on functions to public`)
  t.same(await run(writer, 'select tags from designs'), [{ tags: ['Ä', 'b'] }])
})
