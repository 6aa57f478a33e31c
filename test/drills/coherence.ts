/** `npm run drill:coherence -- --minutes 5 --seed N`: exit code 1 when a promise was broken. */
import { parseArgs } from 'node:util'
import { type DrillOptions, runDrill } from './drill.js'
import { planRounds } from './plan.js'
import { broken, reportText } from './report.js'
import { Seeded } from '../helpers/seeded.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    short: { type: 'boolean', default: false },
  },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('Usage: npm run drill:coherence -- [--minutes <number>] [--seed <integer>] [--short]')
  process.exit(2)
}

const options: DrillOptions = {
  seed,
  minutes: values.short ? 'short' : minutes,
  boundMs: 1_000,
  recoveryLimitMs: 15_000,
  log: console.log,
}
console.log(`seed ${seed}; the plan, as far as the time allows:`)
const plan = planRounds({ random: new Seeded(seed), replicas: 3, isShort: values.short })
for (const { faults, victim } of plan.slice(0, 30)) console.log(`  ${faults.join(' + ')} (replica ${victim})`)
process.once('SIGINT', () => process.exit(130))
const report = await runDrill(options)
console.log(`\n${reportText(report, options)}`)
process.exit(broken(report).length === 0 ? 0 : 1)
