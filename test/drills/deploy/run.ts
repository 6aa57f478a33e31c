/** `npm run drill:deploy -- --seed N --rate 500`: exit code 1 when a promise was broken. */
import { parseArgs } from 'node:util'
import { runDeployDrill } from './drill.js'
import { LONG, SHORT } from './lengths.js'
import { broken, reportText } from './report.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rate: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
})
const length = values.short ? SHORT : LONG
const [seed, rate] = [Number(values.seed), Number(values.rate ?? length.rate)]
if (!(rate > 0) || !Number.isInteger(seed)) {
  console.error('Usage: npm run drill:deploy -- [--seed <integer>] [--rate <requests a second>] [--short]')
  process.exit(2)
}
process.once('SIGINT', () => process.exit(130))
console.log(`seed ${seed}`)
const options = { ...length, seed, rate, log: console.log }
const report = await runDeployDrill(options)
console.log(`\n${reportText(report, options)}`)
process.exit(broken(report).length === 0 ? 0 : 1)
