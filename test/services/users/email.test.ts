import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { startPostgres } from '../../helpers/servers/postgres.js'

const MIGRATION = join(import.meta.dirname, '../../../services/database/migrations/005.do.email-addresses.sql')

t.test('what is one address is the same by every collation', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const server = new pg.Client(postgres.url)
  await server.connect()
  t.teardown(() => server.end())
  const collations = {
    turkish: `locale_provider icu icu_locale 'tr-TR' locale 'C'`,
    lithuanian: `locale_provider icu icu_locale 'lt-LT' locale 'C'`,
    plain: `locale 'C'`,
  }
  for (const [name, collation] of Object.entries(collations)) {
    await server.query(`create database ${name} encoding 'UTF8' ${collation} template template0`)
    const url = postgres.url.replace(/postgres$/, name)
    const { app, admin } = await startService(t, { env: { DATABASE_URL: url } })
    const create = async (email: string): Promise<string> => {
      const { status, body } = await admin.post('/api/users', { email, shop_name: 'A shop' })
      return `${status} ${body.code ?? 'made'}`
    }
    t.equal(await create('INFO@EXAMPLE.COM'), '201 made', name)
    for (const twin of ['info@example.com', 'Info@Example.com', 'iNFo@example.COM']) {
      t.equal(await create(twin), '409 EMAIL_TAKEN', `${name}: ${twin}`)
    }
    for (const other of ['\u0130nfo@example.com', '\u0131nfo@example.com', '\u017Fhop@example.com']) {
      t.match(await create(other), /^400 /, `${name}: letters beyond ASCII`)
    }
    await app.close()
  }

  const database = new pg.Client(postgres.url.replace(/postgres$/, 'turkish'))
  await database.connect()
  t.teardown(() => database.end())
  await database.query(`drop index users_email; create unique index users_email on users (lower(email));
    insert into users (id, email, shop_name) values ('01a2069f-4382-76fe-94e2-50d41d9cb575', 'info@example.com', 'A twin')`)
  const migration = readFileSync(MIGRATION, 'utf8')
  await t.rejects(
    database.query(migration),
    /These users have one e-mail address .*01a2069f-4382-76fe-94e2-50d41d9cb575.* migrate again/,
  )
  await database.query(`update users set email = 'info-2@example.com' where email = 'info@example.com'`)
  await database.query(migration)
  await t.rejects(database.query(`update users set email = 'info@example.com' where email = 'info-2@example.com'`), {
    code: '23505',
    constraint: 'users_email',
  })
})
