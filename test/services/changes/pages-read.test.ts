import t from 'tap'
import { ChangesStatements, type Look, type Seen } from '../../../services/changes/statements.js'
import { resources } from '../../../services/domains.js'
import { startService } from '../../helpers/app.js'
import { Looking } from '../../helpers/looking.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const CHANGES = 30_000
/** The catalogue's own included; the user's part of the index has some 500. */
const MOST_PAGES = 100

t.test('who begins to follow, and who is at the end, reads none of the changes before', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const { id: userId } = await newUser()
  await app.db.query({
    name: 'test',
    text: `insert into changes (version, user_id, row_id, is_deleted, resource)
      select n, $1::uuid, new_row_id(n), true, 'designs' from generate_series(1, ${CHANGES}) n`,
    values: [userId],
  })
  const statements = new ChangesStatements(resources)
  const look = (more: Pick<Look, 'from'>) =>
    app.db.transaction(async (transaction) => {
      const looking = new Looking(transaction)
      const [seen] = await looking.query<Seen>(statements.look({ userId, limit: 1, ...more }))
      return {
        from: seen?.snapshot,
        found: seen?.found.length,
        pages: Math.max(...looking.seen.map(({ pages }) => pages)),
      }
    })
  const begun = await look({})
  t.equal(begun.found, 0)
  t.ok(begun.pages < MOST_PAGES, `${begun.pages} pages to begin`)
  const atEnd = await look({ from: begun.from })
  t.equal(atEnd.found, 0)
  t.ok(atEnd.pages < MOST_PAGES, `${atEnd.pages} pages at the end`)
})
