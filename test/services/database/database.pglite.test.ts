import { cachedTables } from '../../../services/cache-map.js'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CanNotStartError, DatabaseUnavailableError, migrate, openDatabase } from '../../../services/database/index.js'
import { databaseFolder, EMBEDDED_MAJOR } from '../../../services/database/pglite/data-dir.js'
import { readMigrations } from '../../../services/database/migration-files.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'
import { conforms, query } from './conformance.js'

t.test('PGlite keeps the promises of the seam', async (t) => {
  const statementNames: string[] = []
  const dataDir = await preparedPgliteDir()
  const database = await openDatabase({ dataDir, onQuery: (name) => statementNames.push(name) })
  t.teardown(() => database.close())
  await conforms(t, { kind: 'pglite', database, statementNames })
})

t.test('what was committed is there after a restart', async (t) => {
  const dataDir = await preparedPgliteDir()
  const first = await openDatabase({ dataDir })
  await query(first, 'create table kept (id integer)')
  await query(first, 'insert into kept values (7)')
  const session = await first.listen('room', () => {})
  await first.close()
  t.equal(await session.closed, undefined, 'its sessions end with it')
  const second = await openDatabase({ dataDir })
  t.same(await query(second, 'select id from kept'), [{ id: 7 }])
  await second.close()
})

t.test('an empty folder becomes a database, and two migrations at the same time both succeed', async (t) => {
  const dataDir = join(temporaryDirectory(), 'made', 'on demand')
  const database = await openDatabase({ dataDir })
  const [first, second] = await Promise.all([migrate(database, cachedTables), migrate(database, cachedTables)])
  t.same(
    [...first, ...second],
    readMigrations().map(({ number, name }) => `${number}.${name}`),
  )
  await database.close()
})

t.test('a closed database is unavailable', async (t) => {
  const database = await openDatabase({ dataDir: await preparedPgliteDir() })
  await database.close()
  await database.close()
  await t.rejects(query(database, 'select 1'), DatabaseUnavailableError)
  await t.rejects(
    database.transaction(async () => {}),
    DatabaseUnavailableError,
  )
  await t.rejects(
    database.listen('room', () => {}),
    DatabaseUnavailableError,
  )
})

t.test('a folder that is open is not opened again', async (t) => {
  const dataDir = await preparedPgliteDir()
  const database = await openDatabase({ dataDir })
  await t.rejects(openDatabase({ dataDir }), {
    name: 'CanNotStartError',
    message: new RegExp(`Process ${process.pid} .* DATA_DIR.* DATABASE_URL`),
  })
  await database.close()
  await (await openDatabase({ dataDir })).close()
})

t.test('a database of another major version is named, and nothing of it is changed', async (t) => {
  const dataDir = await preparedPgliteDir()
  const version = `${databaseFolder(dataDir)}/PG_VERSION`
  t.equal(readFileSync(version, 'utf8').trim(), EMBEDDED_MAJOR, 'the one that PGlite makes')
  writeFileSync(version, '17\n')
  await t.rejects(openDatabase({ dataDir }), { name: 'CanNotStartError', message: /^DATA_DIR holds .* PostgreSQL 17/ })
  t.equal(readFileSync(version, 'utf8'), '17\n')
  writeFileSync(version, `${EMBEDDED_MAJOR}\n`)
  await (await openDatabase({ dataDir })).close()
})

t.test('files that are no database are one line', async (t) => {
  const dataDir = temporaryDirectory()
  mkdirSync(databaseFolder(dataDir))
  writeFileSync(`${databaseFolder(dataDir)}/PG_VERSION`, `${EMBEDDED_MAJOR}\n`)
  await t.rejects(openDatabase({ dataDir }), CanNotStartError)
})
