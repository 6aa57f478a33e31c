import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { CanNotStartError, openDatabase, startDatabase } from '../../../services/database/index.js'
import { refusalOf } from '../../../services/database/server-check.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'
import { ServiceProcess } from '../../helpers/service-process.js'

const ADMIN_TOKENS = 'an-admin-token-of-the-tests-0123456789'

t.setTimeout(180_000)

/** Why it did not start, and what it said while it waited. */
async function attempt(url: string): Promise<{ readonly error: unknown; readonly waits: readonly string[] }> {
  const database = await openDatabase({ url, dataDir: '' })
  const waits: string[] = []
  const start = startDatabase(database, cachedTables, { onWait: (line) => waits.push(line) })
  const error = await start.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  await database.close()
  return { error, waits }
}

async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(text)
  await client.end()
}

t.test('a standby is waited for, as it may be promoted, and the start says what it is', async (t) => {
  const primary = await startPostgres()
  t.teardown(() => primary.stop())
  const url = new URL(await primary.createDatabase())
  const standby = await startPostgres({}, { standbyOf: primary })
  t.teardown(() => standby.stop())
  url.port = `${standby.port}`
  const [{ error, waits }] = await Promise.all([
    attempt(url.href),
    sleep(2_000).then(() => run(standby.url, 'select pg_promote()')),
  ])
  t.equal(error, undefined)
  t.match(waits[0], /it is a standby.* let DATABASE_URL lead to the primary/)
})

t.test('what the server refuses for good ends the start at once, in one line', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  await run(
    postgres.url,
    `create role locked login password 'right'; create role keyless; create role stranger login;
      create role lost login; alter role lost set search_path = nowhere`,
  )
  const access = [
    'all postgres 127.0.0.1/32 trust',
    'all keyless 127.0.0.1/32 trust',
    'all lost 127.0.0.1/32 trust',
    'all locked 127.0.0.1/32 scram-sha-256',
  ]
  writeFileSync(join(postgres.data, 'pg_hba.conf'), access.map((line) => `host ${line}\n`).join(''))
  await run(postgres.url, 'select pg_reload_conf()')
  const at = `127.0.0.1:${postgres.port}`
  const refused: Record<string, string> = {
    'correct user and password (password authentication failed': `postgresql://locked:wrong@${at}/postgres`,
    'correct user and password (SASL': `postgresql://locked@${at}/postgres`,
    'correct user and password (role "keyless" is not permitted': `postgresql://keyless@${at}/postgres`,
    'demands TLS, or': `postgresql://stranger@${at}/postgres`,
    'agree on TLS': `postgresql://postgres@${at}/postgres?sslmode=verify-full`,
    'is not there: create it': `postgresql://postgres@${at}/nowhere`,
    'that the role of DATABASE_URL has names a schema that is not there': `postgresql://lost@${at}/postgres`,
    'in DATABASE_URL names a schema that is not there': `postgresql://postgres@${at}/postgres?options=-c%20search_path%3Dnowhere`,
  }
  for (const [reason, url] of Object.entries(refused)) {
    const { error, waits } = await attempt(url)
    t.type(error, CanNotStartError, reason)
    t.ok(error instanceof Error && error.message.includes(reason), String(error))
    t.same(waits, [], 'it is not tried again')
  }

  for (const entry of ['server.ts', 'migrate.ts']) {
    const DATABASE_URL = `postgresql://locked:wrong@${at}/postgres`
    const service = new ServiceProcess(t, { DATABASE_URL, ADMIN_TOKENS, PORT: '0' }, { entry })
    t.equal(await service.ended(), 1)
    t.match(service.errors, /^The service could not start: The database refuses the user of DATABASE_URL.*\n$/, entry)
  }
})

t.test('a server that is not up yet is waited for, and that is said once', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  await postgres.stop()
  const starting = attempt(postgres.url)
  await sleep(3_000)
  await postgres.restart()
  const { error, waits } = await starting
  t.equal(error, undefined)
  t.ok(waits.length >= 1 && waits.length <= 3, waits.join())
  t.match(waits[0], /ECONNREFUSED.*Trying again for 20 s at most/)
})

t.test('a database in another encoding is refused', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  for (const encoding of ['LATIN1', 'SQL_ASCII']) {
    await run(postgres.url, `create database ${encoding} encoding '${encoding}' locale 'C' template template0`)
    const { error } = await attempt(postgres.url.replace(/postgres$/, encoding.toLowerCase()))
    t.match(error, { name: 'CanNotStartError', message: new RegExp(`is in ${encoding}, and UTF8 is needed`) })
  }
})

t.test('so is a server older than 14', async (t) => {
  t.match(refusalOf({ version: 130_012, encoding: 'UTF8' }), /PostgreSQL 13, and 14 or newer is needed/)
  t.equal(refusalOf({ version: 140_000, encoding: 'UTF8' }), undefined)
  const postgres = await sharedPostgres(t)
  t.same(await attempt(await postgres.createDatabase()), { error: undefined, waits: [] })
})
