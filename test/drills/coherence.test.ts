import t from 'tap'
import { type DrillOptions, runDrill } from './drill.js'
import { faults } from './faults.js'
import { broken, reportText } from './report.js'

const SEED = 20_261_123
/** Seconds on a machine of its own; here other tests run beside it. */
const RECOVERY_LIMIT_MS = 30_000

t.setTimeout(240_000)

t.test('three replicas keep the promise through every planned fault', async (t) => {
  const log = (line: string): void => t.comment(line)
  const options: DrillOptions = {
    seed: SEED,
    minutes: 'short',
    boundMs: 1_000,
    recoveryLimitMs: RECOVERY_LIMIT_MS,
    log,
  }
  const report = await runDrill(options)
  t.comment(reportText(report, options))

  const { violationCount, final, authChanges } = report.clients
  t.same(violationCount, {}, 'no read and no token beyond the bound, nothing invented, nobody refused wrongly')
  t.same(final.lostWrites, [], 'every acknowledged write was committed')
  t.same(final.different, [], 'at the end every replica answers what PostgreSQL holds')
  t.ok(final.acknowledgedWrites > 100, `${final.acknowledgedWrites} acknowledged writes`)
  t.ok(final.comparedDocuments > 500, `${final.comparedDocuments} documents compared at the end`)
  for (const change of ['token revoked', 'user deactivated', 'user deleted']) t.ok(authChanges[change], change)

  for (const fault of Object.keys(faults)) {
    const happened = report.happenings.filter((happening) => happening.fault === fault)
    t.ok(happened.length > 0, `planned: ${fault}`)
    t.ok(
      happened.every(({ evidence }) => evidence !== undefined),
      `happened: ${fault}`,
    )
    t.ok(
      happened.every(({ recoveryMs }) => recoveryMs !== undefined),
      `coherent within ${RECOVERY_LIMIT_MS} ms: ${fault}`,
    )
  }
  t.same(broken(report), [])
})
