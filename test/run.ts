/**
 * `npm test`: every test, or those that run without the servers this machine does not have. Installs nothing. One PostgreSQL and
 * one Redis are there for the whole run: those of TEST_DATABASE_URL and TEST_REDIS_URL, or two that are started here. `--long`: some
 * tests take more rounds.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { compiled, keepFoldedPackages } from './compiled.js'
import { modulesOf } from './helpers/modules.js'
import { missingServers } from './helpers/servers/missing-servers.js'
import { startPostgres } from './helpers/servers/postgres.js'
import { startRedis } from './helpers/servers/redis.js'

const TESTS = import.meta.dirname
const ROOT = join(TESTS, '..')
/** The floor of coverage, in percent; TEST_COVERAGE=1 measures it. Drop neither to let a change in. */
const [LEAST_LINES, LEAST_BRANCHES] = [98, 94]
const SERVERS = join(TESTS, 'helpers/servers')
const SHARED = join(SERVERS, 'shared-servers.ts')

const missing = missingServers()
const isMissing = (helper: string): boolean => missing.some((server) => server.helper === helper)
const isLong = process.argv.includes('--long')
const given = process.argv.slice(2).filter((word) => word !== '--long')
const started: { stop(): Promise<void> }[] = []
for (const folder of ['.', 'bench', 'commands', 'plugins', 'routes', 'services', 'test']) compileIn(folder)
await keepFoldedPackages()
// Drills copy the build, two of them at once.
if (given.length === 0)
  execFileSync(process.execPath, [join(ROOT, 'commands/build.js'), '--if-changed'], { stdio: 'inherit' })
const urls = await sharedServers()
const chosen = missing.length > 0 && given.length === 0 ? testsThatRun() : given
const bin = join(createRequire(import.meta.url).resolve('tap/package.json'), '../dist/esm/run.mjs')
const coverage = (process.env['TEST_COVERAGE'] ?? '') === '' ? undefined : mkdtempSync(join(tmpdir(), 'rh-coverage-'))
const env = {
  ...process.env,
  ...urls,
  ...(isLong && { LONG_TESTS: '1' }),
  ...(coverage !== undefined && { NODE_V8_COVERAGE: coverage }),
}
const tap = spawn(process.execPath, [bin, ...chosen], { cwd: ROOT, stdio: 'inherit', env })
const [status]: unknown[] = await once(tap, 'close')
if (missing.length > 0) {
  const names = missing.map((server) => server.package).join(', ')
  console.log(`# Not on this machine: ${names}. Tests that start it were left out; npm run test:setup installs it.`)
}
await Promise.all(started.map((server) => server.stop()))
const isCovered = coverage === undefined || isAboveFloor(coverage)
process.exit(typeof status === 'number' && isCovered ? status : 1)

/** Here and not by each test that comes to a module first: a compiler takes longer to start than to compile them all. */
function compileIn(folder: string): void {
  const names = readdirSync(join(ROOT, folder), { recursive: folder !== '.', encoding: 'utf8' })
  for (const name of names) {
    if (/(?<!\.d)\.ts$/.test(name) && !/(^|\/)(node_modules|dist)\//.test(name)) compiled(join(ROOT, folder, name))
  }
}

/** Prints what part of the lines the tests have run, and says whether it is enough. */
function isAboveFloor(directory: string): boolean {
  const c8 = join(createRequire(import.meta.url).resolve('c8/package.json'), '../bin/c8.js')
  const sources = ['services', 'plugins', 'routes', 'commands'].flatMap((folder) => ['--include', `${folder}/**`])
  const floor = ['--check-coverage', '--lines', `${LEAST_LINES}`, '--branches', `${LEAST_BRANCHES}`]
  // Some of the tests cover less.
  const checks = chosen.length === 0 ? floor : []
  const args = [c8, 'report', '--temp-directory', directory, '--reporter', 'text-summary', ...sources, ...checks]
  const report = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  rmSync(directory, { recursive: true })
  return report.status === 0
}

async function sharedServers(): Promise<Record<string, string>> {
  const urls: Record<string, string> = {}
  for (const [name, helper, start] of [
    ['TEST_DATABASE_URL', 'postgres.ts', startPostgres],
    ['TEST_REDIS_URL', 'redis.ts', startRedis],
  ] as const) {
    const given = process.env[name]
    if (given !== undefined) urls[name] = given
    else if (!isMissing(helper)) {
      const server = await start()
      started.push(server)
      urls[name] = server.url
    }
  }
  return urls
}

function testsThatRun(): string[] {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'))
  const starters = missing.map(({ helper }) => join(SERVERS, helper))
  // What only uses a shared server starts none.
  const isShared = urls['TEST_DATABASE_URL'] !== undefined && urls['TEST_REDIS_URL'] !== undefined
  const left = files.filter((name) => {
    const modules = modulesOf(join(TESTS, name), isShared ? new Set([SHARED]) : new Set())
    return !starters.some((starter) => modules.has(starter))
  })
  console.log(
    `# ${left.length} of ${files.length} test files run without: ${missing.map((server) => server.package).join(', ')}`,
  )
  return left.map((name) => relative(ROOT, join(TESTS, name)))
}
