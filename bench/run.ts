/** `npm run bench`: what is measured against what, in tables. Each benchmark runs in a process of its own. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMet, type Benchmark, type Settings, type Table } from './harness/benchmark.js'
import { againstPeers } from './harness/against-peers.js'
import { machine } from './harness/machine.js'
import { markdownOf } from './harness/print.js'

/** Programs, each with its benchmarks: bench/programs/<program>/<benchmark>.ts. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  engine: ['memory-hit', 'redis-hit', 'miss-fill', 'cold-key', 'zipf', 'redis-hang', 'memory'],
  http: ['http', 'profile', 'users'],
  write: ['write', 'bulk', 'staleness', 'tail', 'long-transaction', 'wal'],
  scale: ['scale', 'fleet', 'neighbours', 'idle', 'soak', 'journal'],
  lists: ['plans'],
}
const NAMES = Object.values(PROGRAMS).flat()

const usage = `Usage: npm run bench -- [name…] [--rounds n] [--round-ms n] [--seed n] [--no-peers] [--check] [--json file] [--smoke] [--large]

Names: a program with all it has, or one benchmark of it (write/write where the two have one name); all of them by default (npm run replay is a program of its own).
${Object.entries(PROGRAMS)
  .map(([program, names]) => `  ${program.padEnd(8)}${names.join(' ')}`)
  .join('\n')}
Prints medians of interleaved rounds, with minimum and maximum, and ratios within one round. Servers are started for
the run on free ports (redis-server and PostgreSQL must be installed). --check: exit code 1 when a target is missed.
--large: plans over a million rows as well, and journal with an hour's rows, which take some minutes; soak with ten million requests, which take an hour or two.
--smoke: shows that everything starts, without peers, in some minutes.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '9' },
    'round-ms': { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    'no-peers': { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

interface Result {
  readonly name: string
  readonly title: string
  readonly machine: string
  readonly settings: Settings
  readonly parameters: Benchmark['parameters']
  readonly tables: readonly Table[]
}

if (values.help) console.log(usage)
else process.exitCode = await main()

async function main(): Promise<number> {
  const names = positionals.length === 0 ? NAMES : [...new Set(positionals.flatMap(benchmarksOf))]
  const unknown = names.filter((name) => !NAMES.includes(name))
  if (unknown.length > 0) {
    console.error(`There is no benchmark ${unknown.join(', ')}\n\n${usage}`)
    return 2
  }
  const settings = settingsOf()
  if (settings.hasPeers && !arePeersInstalled()) {
    console.error('The caches to compare with are not installed; run: npm ci --prefix bench (or give --no-peers)')
    return 2
  }
  const results = names.length === 1 ? [await runHere(names[0] ?? '', settings)] : runEach(names)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`)
  const failed = names.filter((name) => !results.some((result) => result.name === name))
  if (failed.length > 0) console.error(`\nThese did not finish: ${failed.join(', ')}`)
  if (settings.isSmoke) {
    console.log('\nA smoke run: everything starts; the figures mean nothing.')
    return failed.length > 0 ? 1 : 0
  }
  const peers = againstPeers(results)
  if (peers !== undefined && names.length > 1) console.log(`\n## Against the other caches\n\n${peers}`)
  const missed = results.flatMap(({ name, tables }) =>
    tables.flatMap(({ title, rows }) =>
      rows.filter((row) => isMet(row) === false).map((row) => `${name}: ${title}: ${row.name}`),
    ),
  )
  if (missed.length > 0 && names.length > 1)
    console.log(`\nTargets missed:\n${missed.map((line) => `- ${line}`).join('\n')}`)
  const isFailed = failed.length > 0 || (values.check && missed.length > 0)
  return isFailed ? 1 : 0
}

/** Those of a program, or one: `tail`, or with its program where that has the same name, `write/write`. */
function benchmarksOf(name: string): readonly string[] {
  return PROGRAMS[name] ?? [name.replace(/^\w+\//, '')]
}

function programOf(benchmark: string): string | undefined {
  return Object.keys(PROGRAMS).find((program) => PROGRAMS[program]?.includes(benchmark))
}

function settingsOf(): Settings {
  const isSmoke = values.smoke
  return {
    rounds: isSmoke ? 1 : wholeNumber('--rounds', values.rounds),
    roundMs: isSmoke ? 20 : wholeNumber('--round-ms', values['round-ms']),
    isSmoke,
    isLarge: values.large,
    hasPeers: !isSmoke && !values['no-peers'],
    seed: wholeNumber('--seed', values.seed),
  }
}

async function runHere(name: string, settings: Settings): Promise<Result> {
  copyStatements()
  const { benchmark } = (await import(`./programs/${programOf(name)}/${name}${extname(import.meta.filename)}`)) as {
    readonly benchmark: Benchmark
  }
  const { title, parameters } = benchmark
  const shown = { ...parameters, rounds: settings.rounds, 'turn (ms)': settings.roundMs, seed: settings.seed }
  console.log(`\n## ${name}: ${title}\n\n${machine()}`)
  console.log(
    Object.entries(shown)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  )
  const tables = await benchmark.run(settings)
  for (const table of tables) console.log(`\n${markdownOf(table)}`)
  return { name, title, machine: machine(), settings, parameters, tables }
}

/** One after the other, each in a fresh process; one that fails is left out of the results. */
function runEach(names: readonly string[]): Result[] {
  const directory = mkdtempSync(join(tmpdir(), 'rh-bench-'))
  const flags = process.argv.slice(2).filter((word) => !positionals.includes(word))
  try {
    return names.flatMap((name): Result[] => {
      const json = join(directory, name)
      const one = `${programOf(name)}/${name}`
      const args = [...process.execArgv, fileURLToPath(import.meta.url), one, ...flags, '--json', json]
      spawnSync(process.execPath, args, { stdio: 'inherit' })
      return existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as Result[]) : []
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The compiler leaves SQL files behind. */
function copyStatements(): void {
  const target = fileURLToPath(new URL('../services/database/migrations', import.meta.url))
  if (!existsSync(target) || extname(import.meta.filename) === '.js') {
    cpSync('services/database/migrations', target, { recursive: true })
  }
}

function arePeersInstalled(): boolean {
  try {
    import.meta.resolve('bentocache')
    import.meta.resolve('layered-loader')
    return true
  } catch {
    return false
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a whole number above 0`)
  return value
}
