import t from 'tap'
import type { Queryable } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { RowExport } from '../../../services/export/row-export.js'
import { inSnapshot } from '../../../services/export/snapshot.js'
import { doAtOnce } from '../../../services/resource/bulk/at-once.js'
import type { Operation, Run } from '../../../services/resource/bulk/operation.js'
import { idsReferringTo } from '../../../services/resource/sql/dependents.js'
import { lockReferences } from '../../../services/resource/sql/references.js'
import { ResourceRows } from '../../../services/resource/sql/rows.js'
import type { Resource } from '../../../services/resource/resource.js'
import { templates } from '../../../services/templates/definition.js'
import { findCredentials, findToken } from '../../../services/users/token-repository.js'
import { startService } from '../../helpers/app.js'
import { Looking } from '../../helpers/looking.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

/** What one user has of each, and whom no statistics know. */
const ROWS = 5_000
const OTHERS = 200
/** How many of them are asked for. */
const WANTED = 20
/** Pages of 8 kB for one row: an index has three levels, and each of some indexes gets an entry. All rows of the user have some 2,000. */
const PAGES_A_ROW = 60

t.test('a row is found without those beside it, of a user of many rows whom the statistics do not know', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const run = (text: string, values: readonly unknown[] = []): Promise<{ id: string }[]> =>
    app.db.query({ name: 'test', text, values })
  const insert = `insert into designs (id, user_id, filename, file_path, platform, external_id)
    select new_row_id(n), id, 'a', '/', 'etsy', rpad(md5(id::text || n), 200, md5(n::text))`
  // By the statistics everybody has one row of each.
  await run(`insert into users (id, email, shop_name)
    select new_row_id(n), n || '@example.org', 'x' from generate_series(1, ${OTHERS}) n`)
  await run(`${insert} from users, generate_series(1, 1) n`)
  await run(`insert into templates (id, user_id, name, title, platform, product_type)
    select id, id, 'a', 'a', 'etsy', 'mug' from users`)
  await run(`insert into mockups (id, user_id, name, template_id) select id, id, 'a', id from users`)
  await run(`insert into tokens (id, user_id, name, hash) select id, id, 'a', md5(id::text) from users`)
  await run('analyze')
  const { id: userId } = await newUser()
  const mine = `from (select $1::uuid) as users (id), generate_series(1, ${ROWS}) n`
  await run(`${insert} ${mine}`, [userId])
  await run(
    `insert into templates (id, user_id, name, title, platform, product_type)
      select new_row_id(n), id, 'a', 'a', 'etsy', 'mug' ${mine}`,
    [userId],
  )
  await run(
    `insert into mockups (id, user_id, name, template_id) select new_row_id(2), user_id, 'a', id from templates
      where user_id = $1::uuid and id <> all(array(select id from templates where user_id = $1::uuid order by id limit ${WANTED}))`,
    [userId],
  )
  await run(`insert into tokens (id, user_id, name, hash) select new_row_id(n), id, 'a', md5(id::text || n) ${mine}`, [
    userId,
  ])

  const some = (column: string, table: string) =>
    run(`select ${column} as id from ${table} where user_id = $1::uuid order by id limit ${WANTED}`, [userId]).then(
      (rows) => rows.map(({ id }) => id),
    )
  const [ids, keys] = [await some('id', 'designs'), await some('external_id', 'designs')]
  const [templateIds, hashes] = [await some('id', 'templates'), await some('hash', 'tokens')]
  const [id = '', key = '', hash = ''] = [ids[0], keys[0], hashes[0]]
  const rows = new ResourceRows(designs, 'postgres')
  const resource = { definition: designs, rows, references: [], dependents: [] } as unknown as Resource
  const atOnce = (db: Queryable, operations: readonly Operation[]) =>
    doAtOnce(db, resource, userId, operations.map((operation) => ({ operation })) as unknown as Run)
  const columns = { description: 'changed' }
  const row = { filename: 'b', file_path: '/', platform: 'etsy' }

  const asked: Record<string, (db: Queryable) => Promise<unknown>> = {
    'a row': (db) => rows.find(db, userId, id),
    'a row by external_id': (db) => rows.findByExternalId(db, userId, key),
    'rows by their ids': (db) => rows.findSmall(db, userId, ids),
    'a row to replace': (db) => rows.lockWhole(db, userId, { id }),
    'a row to replace by external_id': (db) => rows.lockWhole(db, userId, { externalId: key }),
    'a changed row': (db) => rows.update(db, userId, id, columns, undefined),
    'a deleted row': (db) => rows.delete(db, userId, id, undefined),
    'a template that a row is to name': (db) =>
      lockReferences(db, userId, [{ column: 'of', table: 'templates' }], { of: templateIds }),
    'what is made from templates': (db) =>
      idsReferringTo(
        db,
        userId,
        templateIds,
        { table: 'mockups', column: 'template_id', isList: false, onDelete: 'refuse' },
        1,
      ),
    'updates in bulk': (db) =>
      atOnce(
        db,
        ids.map((one) => ({ op: 'update', key: { id: one }, columns })),
      ),
    'updates in bulk by external_id': (db) =>
      atOnce(
        db,
        keys.map((one) => ({ op: 'update', key: { externalId: one }, columns })),
      ),
    'upserts in bulk': (db) =>
      atOnce(
        db,
        keys.map((one) => ({ op: 'upsert', externalId: one, columns: { ...row, external_id: one } })),
      ),
    'creates in bulk': (db) =>
      atOnce(
        db,
        keys.map((one) => ({ op: 'create', columns: { ...row, external_id: `new ${one.slice(0, 50)}` } })),
      ),
    'deletes in bulk': (db) =>
      atOnce(
        db,
        ids.map((one) => ({ op: 'delete', key: { id: one } })),
      ),
    'a token': (db) => findToken(db, userId, hash),
    'a token with its user': (db) => findCredentials(db, [{ userId, hash }]),
  }
  for (const [what, ask] of Object.entries(asked)) {
    const seen = await app.db.transaction(async (transaction) => {
      const looking = new Looking(transaction)
      await ask(looking)
      return looking.seen
    })
    const worst = seen.find(({ rows: read, pages }) => read > 15 * WANTED || pages > PAGES_A_ROW * WANTED)
    t.equal(worst, undefined, `${what}: ${seen.map(({ rows: read, pages }) => `${read} (${pages})`).join(', ')}`)
  }
})

const WITHOUT = `select format('drop index %s', indexrelid::regclass) as text from pg_index
    where indrelid = 'designs'::regclass and indexrelid::regclass::text ~ '_list_'
  union all select 'alter table designs disable trigger user'`

t.test('an export reads the rows of its user, each once, and no others', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const users = [(await newUser()).id, (await newUser()).id, (await newUser()).id] as const
  const fill = (userId: string, rows: number) =>
    app.db.query({
      name: 'test.fill',
      text: `insert into designs (id, user_id, filename, file_path, platform)
        select new_row_id(n), $1::uuid, 'a', '/', 'etsy' from generate_series(1, $2::integer) n`,
      values: [userId, rows],
    })
  const [large, other, unknown] = users
  // What takes time, and is asked for by no export.
  for (const { text } of await app.db.query<{ text: string }>({ name: 'test.without', text: WITHOUT }))
    await app.db.query({ name: 'test.drop', text })
  for (let nth = 0; nth < 10; nth += 1) {
    await fill(large, 200)
    await fill(other, 3_000)
  }
  await app.db.query({ name: 'test.analyze', text: 'analyze designs' })
  await fill(unknown, 3_000)
  for (const [userId, own] of [
    [large, 2_000],
    [unknown, 3_000],
  ] as const) {
    const read = await inSnapshot(app.db, 0, async (snapshot) => {
      const looking = new Looking(snapshot)
      const rows = new RowExport(designs, [templates, designs], 'postgres')
      for await (const lines of rows.chunks(looking, userId)) t.ok(lines)
      return looking.seen.map(({ rows: some }) => some)
    })
    // Each statement was planned twice.
    const all = read.reduce((sum, some) => sum + some, 0) / 2
    t.equal(all, own, read.join(', '))
  }
})
