import { cachedTables } from '../../../services/cache-map.js'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DatabaseUnavailableError, migrate, openDatabase } from '../../../services/database/index.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { temporaryDirectory } from '../../helpers/servers.js'
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
  t.same([...first, ...second], ['1.catalogue', '2.cache-journal', '3.snapshot-journal'])
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

t.test('a folder that is open is not opened again, by this process or another', async (t) => {
  const dataDir = await preparedPgliteDir()
  const database = await openDatabase({ dataDir })
  await t.rejects(openDatabase({ dataDir }), {
    message: new RegExp(`Process ${process.pid} .* DATA_DIR.* DATABASE_URL`),
  })
  t.equal(await exitCodeOfAnotherOpening(dataDir), 3)
  await database.close()
  t.equal(await exitCodeOfAnotherOpening(dataDir), 0)
  t.notOk(existsSync(join(dataDir, 'lock')))
})

t.test('a lock is taken over when its process is gone', async (t) => {
  const dataDir = await preparedPgliteDir()
  const lock = join(dataDir, 'lock')
  const gone = spawn('true')
  await once(gone, 'exit')
  const leftovers = {
    'dead process': JSON.stringify({ pid: gone.pid, started: '1' }),
    'id of this very process, from before a restart of the container': JSON.stringify({
      pid: process.pid,
      started: '1',
    }),
    'id that another process has by now': JSON.stringify({ pid: process.ppid, started: '1' }),
    'half-written file': '{"pi',
  }
  for (const [name, content] of Object.entries(leftovers)) {
    writeFileSync(lock, content)
    const database = await openDatabase({ dataDir })
    t.match(JSON.parse(readFileSync(lock, 'utf8')), { pid: process.pid }, name)
    await database.close()
  }
})

/** 0: opened and closed. 3: refused. */
async function exitCodeOfAnotherOpening(dataDir: string): Promise<unknown> {
  const door = new URL('../../../services/database/index.js', import.meta.url).href
  const script = `
    const { openDatabase } = await import(${JSON.stringify(door)})
    const database = await openDatabase({ dataDir: ${JSON.stringify(dataDir)} }).catch((error) => {
      process.exit(/Process ${process.pid} /.test(error.message) ? 3 : 4)
    })
    await database.close()`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: 'inherit' })
  const [code]: unknown[] = await once(child, 'exit')
  return code
}
