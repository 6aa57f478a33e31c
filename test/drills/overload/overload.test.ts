import t from 'tap'
import { goneClients } from './bad-clients.js'
import { runOverloadDrill } from './drill.js'
import { lockedTable } from './broken-database.js'
import { broken, reportText } from './report.js'

const SEED = 20_261_126
/** How long something took says here how busy the machine is: other tests run beside it. */
const TIMED = /p50|p99|longest|normal again|finished or cancelled/

t.setTimeout(120_000)

t.test('two scenes of overload: every request has an answer, every refusal says when to come again', async (t) => {
  const options = {
    seed: SEED,
    seconds: 1,
    isPinned: false,
    isShort: true,
    log: (line: string): void => t.comment(line),
  }
  const report = await runOverloadDrill([lockedTable, goneClients], options)
  t.comment(reportText(report, options))
  t.same(
    report.scenes.map(({ name }) => name),
    ['locked-table', 'gone-clients'],
  )
  t.ok(report.rates.hits > 100, `${Math.round(report.rates.hits)} hits/s`)
  t.ok(report.rates.database > 5, `${Math.round(report.rates.database)} misses and writes/s`)
  for (const { name, promises } of report.scenes) {
    const counted = promises.filter(({ what }) => !TIMED.test(what))
    t.ok(counted.length >= 3, name)
    for (const { what, limit, measured, isHeld } of counted) t.ok(isHeld, `${what}: ${measured}, promised ${limit}`)
  }
})

t.test('a promise that is not kept is named', async (t) => {
  const promise = { what: 'hits answered, p99', limit: '≤ 50 ms', measured: '51 ms', isHeld: false }
  const scene = {
    name: 'flood',
    load: 1,
    notes: [],
    lateMs: 0,
    core: { ran: 1, waited: 0 },
    promises: [promise, { ...promise, isHeld: true }],
  }
  const report = { rates: { hits: 1, database: 1, misses: 1, writes: 1 }, scenes: [scene] }
  t.same(broken(report), ['flood: hits answered, p99 51 ms, promised ≤ 50 ms'])
  t.match(reportText(report, { seed: 1, seconds: 1, isPinned: false, isShort: false, log: () => {} }), /MISSED/)
})
