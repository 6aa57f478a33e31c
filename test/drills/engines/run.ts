/**
 * `npm run drill:engines -- [engine …] --seed N`: the coherence drill's clients on a Redis Cluster, on sentinels, over TLS, behind PgBouncer and
 * on a primary with a standby, each through its own failures. Exit code 1 when a promise was broken.
 */
import { parseArgs } from 'node:util'
import { type DrillOptions, runDrill } from '../drill.js'
import { reportText } from '../report.js'
import { brokenOf, engines } from './engines.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: String(Date.now() % 1_000_000) } },
})
const seed = Number(values.seed)
const unknown = positionals.filter((name) => engines[name] === undefined)
if (!Number.isInteger(seed) || unknown.length > 0) {
  console.error(
    `Usage: npm run drill:engines -- [engine …] [--seed <integer>]\nEngines: ${Object.keys(engines).join(', ')}`,
  )
  process.exit(2)
}
process.once('SIGINT', () => process.exit(130))
const failures: string[] = []
for (const [name, { engine }] of Object.entries(engines)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  console.log(`\n== ${name}`)
  const options: DrillOptions = {
    seed,
    minutes: 'short',
    boundMs: 1_000,
    recoveryLimitMs: 30_000,
    log: console.log,
    engine: engine(),
  }
  const report = await runDrill(options)
  console.log(`\n${reportText(report, options)}`)
  failures.push(...brokenOf(name, report).map((failure) => `${name}: ${failure}`))
}
console.log(failures.length === 0 ? '\nEvery engine kept what it promises.' : `\nBROKEN:\n${failures.join('\n')}`)
process.exit(failures.length === 0 ? 0 : 1)
