import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { EXIT } from '../commands/cli/faults.js'
import { grouped } from '../commands/progress.js'
import { startPostgres } from '../test/helpers/servers/postgres.js'
import { startRedis } from '../test/helpers/servers/redis.js'
import { temporaryDirectory } from '../test/helpers/servers/servers.js'
import { checksOf } from './replay/checks.js'
import { boundsOf, tableOf } from './replay/report.js'
import { runReplays } from './replay/run.js'
import { readTrace, type Trace } from './replay/trace.js'

const TRACE = fileURLToPath(new URL('./traces/web07.trace.gz', import.meta.url))

/** Enough to keep a small machine busy, few enough that latency is not all queueing: docs/replay.md. */
const CONCURRENCY = 4

const usage = `Usage: npm run replay -- [trace file] [--concurrency ${CONCURRENCY}] [--requests <first so many>] [--postgres] [--check] [--json]

Replays an access log over HTTP against the service without a cache, with its memory tier, and with memory and Redis.
The database is DATABASE_URL, a PostgreSQL of its own with --postgres, else PGlite; Redis is REDIS_URL, else one of its
own. Only rows and entries of a user made for this run are touched. --check: exit code 1 when a target is missed.
--json: the figures as one document of JSON.`

interface Settings {
  readonly concurrency: number
  readonly trace: Trace
  readonly isPostgres: boolean
  readonly isChecked: boolean
  readonly isJson: boolean
}

const settings = settingsOf(process.argv.slice(2))
if (typeof settings === 'string') console.log(settings)
else if (settings instanceof Error) refuse(settings)
else await main(settings)

/** What the arguments ask for, the help included, or what is wrong with them. */
function settingsOf(args: string[]): Settings | string | Error {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        concurrency: { type: 'string' },
        requests: { type: 'string' },
        postgres: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return usage
    const concurrency = wholeNumber('--concurrency', values.concurrency, CONCURRENCY)
    const requests = wholeNumber('--requests', values.requests, Number.MAX_SAFE_INTEGER)
    const trace = readTrace(positionals[0] ?? TRACE, requests)
    return { concurrency, trace, isPostgres: values.postgres, isChecked: values.check, isJson: values.json }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** As the other commands do: a sentence, or the one document of an error. */
function refuse({ message }: Error): void {
  console.error(process.argv.includes('--json') ? JSON.stringify({ error: message }) : message)
  process.exitCode = EXIT.usage
}

async function main({ concurrency, trace, isPostgres, isChecked, isJson }: Settings): Promise<void> {
  const { DATABASE_URL: givenDatabase = '', REDIS_URL: givenRedis = '' } = process.env
  const bounds = boundsOf(trace)
  const postgres = isPostgres ? await startPostgres() : undefined
  const redis = givenRedis === '' ? await startRedis() : undefined
  const databaseUrl = postgres?.url ?? (givenDatabase === '' ? undefined : givenDatabase)
  const servers = {
    databaseUrl,
    dataDir: join(temporaryDirectory(), 'data'),
    redisUrl: redis?.url ?? givenRedis,
  }
  try {
    const print = isJson ? console.error : console.log
    print(
      `${grouped(trace.requests.length)} requests for ${grouped(trace.pages)} pages, ${concurrency} at a time, ` +
        `on ${databaseUrl === undefined ? 'PGlite' : 'PostgreSQL'}\n${machine()}`,
    )
    const results = await runReplays({ trace, servers, concurrency })
    const checks = checksOf(results, bounds, databaseUrl !== undefined)
    if (isJson) console.log(JSON.stringify({ machine: machine(), bounds, results, checks }, null, 2))
    else console.log(`\n${tableOf(results, bounds)}\n`)
    for (const { target, found, isMet } of isJson ? [] : checks)
      console.log(`${isMet ? 'met   ' : 'MISSED'}  ${target}: ${found}`)
    if (isChecked && checks.some(({ isMet }) => !isMet)) process.exitCode = 1
  } finally {
    await postgres?.stop()
    await redis?.stop()
  }
}

function wholeNumber(name: string, text: string | undefined, byDefault: number): number {
  const value = text === undefined ? byDefault : Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a whole number above 0`)
  return value
}

/** The load of the last minute says whether others were at work too. */
function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${model.trim()}, ${memory} GiB, load ${load}`
}
