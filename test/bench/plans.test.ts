import t from 'tap'
// oxlint-disable-next-line import/no-unassigned-import -- the benchmark starts a PostgreSQL: where there is none, `npm test` leaves it out
import '../helpers/servers/postgres.js'
import { isMet } from '../../bench/harness/benchmark.js'
import { benchmark } from '../../bench/programs/lists/plans.js'

t.test('lists read their page, or a bounded number of rows, whatever they are asked for', async (t) => {
  const settings = { rounds: 1, roundMs: 1, isSmoke: true, isLarge: false, hasPeers: false, seed: 1 }
  for (const { title, rows } of await benchmark.run(settings)) {
    t.ok(rows.length > 40, title)
    for (const row of rows) t.not(isMet(row), false, `${row.name}: ${row.value.median} rows, ${row.note}`)
  }
})
