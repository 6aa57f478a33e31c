import t from 'tap'
import type { Queryable } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { resources } from '../../../services/domains.js'
import { dependentsOf, forgetReferences } from '../../../services/resource/sql/dependents.js'
import { templates } from '../../../services/templates/definition.js'
import { deleteUser } from '../../../services/users/repository.js'
import { startService } from '../../helpers/app.js'
import { Looking } from '../../helpers/looking.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const OTHERS = 200
const ROWS = 5_000

t.test('what is done in steps reads each row some times, however many steps there are', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const run = (text: string, values: readonly unknown[] = []) =>
    app.db.query<{ id: string }>({ name: 'test', text, values })
  await run(`insert into users (id, email, shop_name)
    select new_row_id(n), n || '@example.org', 'x' from generate_series(1, ${OTHERS}) n`)
  const insert = `insert into designs (id, user_id, filename, file_path, platform, template_ids)
    select new_row_id(n), $1::uuid, n::text, '/', 'etsy', array[$2::uuid] from generate_series(1, $3::integer) n`
  for (const { id } of await run('select id from users')) await run(insert, [id, id, 1])
  await run('analyze')
  // Whom the statistics do not know.
  const user = await newUser()
  const body = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
  const template: string = (await user.post('/api/templates', body)).body.id
  await run(insert, [user.id, template, ROWS])

  const read = async (work: (transaction: Queryable) => Promise<unknown>) =>
    app.db.transaction(async (transaction) => {
      const looking = new Looking(transaction)
      await work(looking)
      // Each statement was planned twice.
      return looking.seen.reduce((sum, { rows }) => sum + rows, 0) / 2
    })
  const dependents = dependentsOf(templates, resources)
  const forgotten = await read((db) => forgetReferences(db, user.id, [template], dependents))
  t.ok(forgotten <= 3.5 * ROWS, `${forgotten} for ${ROWS} designs that lose a template`)
  const deleted = await read((db) => deleteUser(db, user.id, [designs]))
  t.ok(deleted <= 11.5 * ROWS, `${deleted} for the ${ROWS} designs of a user who goes, and three changes of each`)
})
