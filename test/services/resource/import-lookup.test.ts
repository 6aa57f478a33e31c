import t from 'tap'
import type { Queryable, Statement } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { mockups } from '../../../services/mockups/definition.js'
import { candidatesOf } from '../../../services/resource/import/candidates.js'
import { equalAmongAlike } from '../../../services/resource/import/comparison.js'
import { resolveReferences } from '../../../services/resource/import/named-references.js'
import { startService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const LINES = 100
const ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'

/** Counts the pages that statements touch. */
class Pages implements Queryable {
  count = 0
  readonly #database: Queryable

  constructor(database: Queryable) {
    this.#database = database
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    const { name, text } = statement
    const plan = { ...statement, name: `${name}.explain`, text: `explain (analyze, buffers, format json) ${text}` }
    const [row] = await this.#database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(plan)
    const { 'Shared Hit Blocks': hit = 0, 'Shared Read Blocks': read = 0 } = row?.['QUERY PLAN'][0].Plan ?? {}
    this.count += hit + read
    return this.#database.query<Row>(statement)
  }
}

t.test('to look up a batch costs the same for a user of many rows whom the statistics do not know', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const run = (text: string, values: unknown[] = []): Promise<object[]> => app.db.query({ name: 'test', text, values })
  const fill = async (userId: string, rows: number): Promise<void> => {
    await run(
      `insert into templates (id, user_id, name, title, platform, product_type, external_id)
        select new_row_id(n), $1, n::text, 'x', 'etsy', 'mug', n::text from generate_series(1, $2::integer) n`,
      [userId, rows],
    )
    await run(
      `insert into designs (id, user_id, filename, file_path, platform, external_id)
        select new_row_id(n), $1, 'design.png', n::text, 'etsy', case when n % 2 = 0 then n::text end
        from generate_series(1, $2::integer) n`,
      [userId, rows],
    )
  }
  await fill((await newUser()).id, 500)
  await run('analyze templates')
  await run('analyze designs')
  const pages: number[] = []
  for (const rows of [1_000, 10_000]) {
    const { id } = await newUser()
    await fill(id, rows)
    const counting = new Pages(app.db)
    const lines = Array.from({ length: LINES }, (_, nth) => ({
      nth,
      id: undefined,
      columns: {
        filename: 'design.png',
        file_path: String(nth),
        platform: 'etsy',
        external_id: nth % 2 === 0 ? String(nth) : null,
      },
    }))
    const found = await candidatesOf(counting, designs, id, lines)
    t.ok(new Set(found.map(({ nth }) => nth)).size >= LINES - 1)
    const equal = await equalAmongAlike(counting, designs, id, lines)
    t.ok(equal.size >= LINES - 1)
    const rowsOf = lines.map(({ nth }) => ({
      columns: {},
      body: { template_id: ID },
      names: { template_id: String(nth + 1) },
    }))
    const reference = [{ column: 'template_id', table: 'templates' }]
    const resolved = await resolveReferences(counting, id, reference, rowsOf)
    t.ok(
      resolved.every(({ reasons }) => reasons.length === 0),
      mockups.name,
    )
    pages.push(counting.count)
  }
  const [few = 0, many = 0] = pages
  t.ok(few > 0 && many <= 1.3 * few, `${many} pages at ten times the rows, ${few} before`)
})
