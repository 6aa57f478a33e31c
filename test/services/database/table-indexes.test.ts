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
    await migrate(database, cachedTables)
    const after = (await namesIn(database)) as { name: string }[]
    t.same(
      after.map(({ name }) => name),
      [...expected.map(({ name }) => name), 'designs_list_mine', 'users_list_name_00000000'].sort(),
    )
  }
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
