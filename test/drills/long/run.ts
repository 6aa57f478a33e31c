/**
 * `npm run drill:long -- --minutes 120 --seed N`: the drill at half load, and what could grow sampled meanwhile. Exit code 1 when a
 * promise was broken or a figure grows. `--short`: two minutes.
 */
import { parseArgs } from 'node:util'
import { type DrillOptions, runDrill } from '../drill.js'
import { longestEntryLifetimeMs } from '../../../services/cache-map.js'
import { MOST_RECOGNISED } from '../../../services/users/authenticator.js'
import { ERRORS, flatness, LARGEST_GROWTH, LEAST_MB, type Series } from './flatness.js'
import { broken, reportText } from '../report.js'
import { Samples } from './samples.js'

/** Half of the clients that keep two cores busy. */
const WORKERS_PER_REPLICA = 6
/** No fault kills it, so that its process is one from beginning to end. */
const SPARED = 0
/**
 * What is shown and not judged: the other replicas are killed now and then, changes are kept for days, and the catalogue grows with the
 * shops that are opened: its bytes are judged by the row.
 */
const NOT_JUDGED = /^replica [^0]|^changes|^catalogue|^(table|index) bytes$/
/** What a replica keeps of each token that it has accepted, up to {@link MOST_RECOGNISED}; measured. */
const TOKEN_MB = 0.002
/**
 * What fills up for as long as an entry lives at most, and an eighth more: then the first rows and keys go. Vacuum needs as long to keep up
 * with the rows that updates leave behind.
 */
const FILLS = /^journal|^Redis|a row$/
const fillsMinutes = (longestEntryLifetimeMs(300) * 1.125) / 60_000
const SAMPLES = 90
const [LEAST_EVERY_MS, MOST_EVERY_MS] = [2_000, 60_000]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '120' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    short: { type: 'boolean', default: false },
  },
})
const [minutes, seed] = [values.short ? 2 : Number(values.minutes), Number(values.seed)]
if (!(minutes >= 1) || !Number.isInteger(seed)) {
  console.error('Usage: npm run drill:long -- [--minutes <number, 1 at least>] [--seed <integer>] [--short]')
  process.exit(2)
}

const everyMs = Math.min(Math.max((minutes * 60_000) / SAMPLES, LEAST_EVERY_MS), MOST_EVERY_MS)
let samples: Samples | undefined
const options: DrillOptions = {
  seed,
  minutes,
  boundMs: 1_000,
  recoveryLimitMs: 60_000,
  log: console.log,
  workersPerReplica: WORKERS_PER_REPLICA,
  // The size that it leaves files with says how far vacuum has come, and nothing of us.
  without: ['50,000 rows in one transaction'],
  spared: SPARED,
  watch(stage) {
    const running = new Samples(stage, everyMs)
    samples = running
    return () => running.end()
  },
}
console.log(`seed ${seed}; a sample every ${(everyMs / 1_000).toFixed(0)} s`)
process.once('SIGINT', () => process.exit(130))
const report = await runDrill(options)
console.log(`\n${reportText(report, options)}\n`)
const tokens = Object.values(report.clients.authChanges).reduce((sum, count) => sum + count, 0)
const growing = table(samples?.series ?? [], (Math.min(tokens, MOST_RECOGNISED) / 2) * TOKEN_MB)
process.exit(broken(report).length === 0 && growing.length === 0 ? 0 : 1)

/**
 * Prints every figure.
 * @param tokensMb what tokens that were accepted for the first time add to the heap in the second half, at most
 * @returns the names of those that grow
 */
function table(series: readonly Series[], tokensMb: number): string[] {
  console.log(
    `what could grow: the second half of the samples. Flat: least squares rise by at most ${LARGEST_GROWTH * 100} % of the mean, ${LEAST_MB} MB, or ${ERRORS} standard errors`,
  )
  console.log(line('', ['samples', 'mean', 'least', 'most', 'growth', '±', '']))
  const names: string[] = []
  for (const one of series) {
    const { samples, mean, least, most, growth, error, isFlat } = flatness(one)
    const isFilling = FILLS.test(one.name) && minutes / 2 < fillsMinutes
    const isJudged = !NOT_JUDGED.test(one.name) && !isFilling
    const isOfTokens = !isFlat && one.name.includes('heap') && growth <= tokensMb
    if (isJudged && !isFlat && !isOfTokens) names.push(one.name)
    const said = isOfTokens
      ? `tokens: up to ${tokensMb.toFixed(0)} MB`
      : isFilling
        ? `fills for ${fillsMinutes.toFixed(0)} min`
        : verdict(isJudged, isFlat)
    const figures = [mean, least, most, growth, error].map((value) => value.toFixed(one.unit === '' ? 0 : 1))
    console.log(line(`${one.name} ${one.unit}`.trim(), [String(samples), ...figures, said]))
  }
  const missing = series.length === 0 ? ['nothing was sampled'] : []
  console.log(names.length === 0 ? 'Nothing grows.' : `GROWS: ${names.join(', ')}`)
  return [...names, ...missing]
}

function verdict(isJudged: boolean, isFlat: boolean): string {
  if (!isJudged) return 'not judged'
  return isFlat ? 'flat' : 'GROWS'
}

function line(name: string, figures: readonly string[]): string {
  return (
    name.padEnd(40) +
    figures
      .map((figure) => figure.padStart(10))
      .map((figure, n) => (n < 6 ? figure : `  ${figure.trim()}`))
      .join('')
  )
}
