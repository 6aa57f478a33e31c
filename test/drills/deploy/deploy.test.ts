import t from 'tap'
import { runDeployDrill } from './drill.js'
import { SHORT } from './lengths.js'
import { broken, reportText } from './report.js'

const SEED = 20_261_126

t.setTimeout(120_000)

t.test('a deploy under load fails no request and loses nothing', async (t) => {
  const options = { ...SHORT, seed: SEED, log: (line: string): void => t.comment(line) }
  const report = await runDeployDrill(options)
  t.comment(reportText(report, options))

  const { clients } = report
  t.same(clients.failures, [], 'no reset, no 5xx, no time-out')
  t.same(clients.violationCount, {}, 'no read and no token beyond the bound, nothing invented')
  t.same(clients.flaws, [], 'streams go on elsewhere, with nothing missed or twice')
  t.ok(clients.uploads > 5, `${clients.uploads} slow uploads`)
  t.ok(clients.resumed > 0, `streams were resumed ${clients.resumed} times`)
  t.ok(clients.final.acknowledgedWrites > 100, `${clients.final.acknowledgedWrites} acknowledged writes`)
  t.same(broken(report), [])
})
