/**
 * `npm test`: every test, or those that run without the servers this machine does not have. Installs nothing. One PostgreSQL and
 * one Redis are there for the whole run: those of TEST_DATABASE_URL and TEST_REDIS_URL, or two that are started here. `--long`: some
 * tests take more rounds.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { t } from 'tap'
import { compiled, keepFoldedPackages } from './compiled.js'
import { migrated } from './helpers/migrated.js'
import { modulesOf } from './helpers/modules.js'
import { databaseName, run, urlOf } from './helpers/servers/databases.js'
import { missingServers } from './helpers/servers/missing-servers.js'
import { startPostgres } from './helpers/servers/postgres.js'
import { startRedis } from './helpers/servers/redis.js'
import { TYPESCRIPT } from './helpers/typescript.js'

const TESTS = import.meta.dirname
const ROOT = join(TESTS, '..')
/** The floor of coverage, in percent; TEST_COVERAGE=1 measures it. Drop neither to let a change in. */
const [LEAST_LINES, LEAST_BRANCHES] = [98, 94]
/** Files that run at a time. With one more everything waits for a core, and what is to answer within a time does not. */
const JOBS = availableParallelism()
/** A drill is many processes, and promises how soon they answer: it has the machine for itself. */
const DRILLS = join('test', 'drills')
const TIMEOUT_SECONDS = 300
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
const asked = given.length > 0 ? testsIn(given) : undefined
const urls = await sharedServers()
const template = await templateOn(urls['TEST_DATABASE_URL'])
const chosen = asked ?? (missing.length > 0 ? testsThatRun() : allTests())
const coverage = (process.env['TEST_COVERAGE'] ?? '') === '' ? undefined : mkdtempSync(join(tmpdir(), 'rh-coverage-'))
const env = {
  ...process.env,
  ...urls,
  ...(template !== undefined && { TEST_DATABASE_TEMPLATE: template.name }),
  ...(isLong && { LONG_TESTS: '1' }),
  ...(coverage !== undefined && { NODE_V8_COVERAGE: coverage }),
}
const isPassed = await passed(chosen)
if (missing.length > 0) {
  const names = missing.map((server) => server.package).join(', ')
  console.log(`# Not on this machine: ${names}. Tests that start it were left out; npm run test:setup installs it.`)
}
await template?.drop()
await Promise.all(started.map((server) => server.stop()))
const isCovered = coverage === undefined || isAboveFloor(coverage)
process.exit(isPassed && isCovered ? 0 : 1)

/**
 * Runs each file in a process of its own. By tap's API and not by its command, and with the NODE_OPTIONS that this process was given and not
 * those that tap adds: they load hooks into every process, and into those that these start, to keep book of their modules and to replace some.
 * A quarter to a half of what a small test takes is theirs; and what they do for tap's own coverage leaves c8 with none.
 */
async function passed(files: readonly string[]): Promise<boolean> {
  t.setTimeout(0)
  t.jobs = JOBS
  const reader = process.stdout.isTTY ? startReader() : undefined
  t.pipe(reader?.stdin ?? process.stdout)
  const options = { cwd: ROOT, env: { ...env, TAP_TIMEOUT: `${TIMEOUT_SECONDS}` }, timeout: TIMEOUT_SECONDS * 1_000 }
  const nodeOptions = `NODE_OPTIONS=${process.env['NODE_OPTIONS'] ?? ''}`
  const runFile = (file: string): Promise<unknown> =>
    t.spawn('env', [nodeOptions, process.execPath, TYPESCRIPT, join(ROOT, file)], {
      ...options,
      at: null,
      stack: '',
      stdio: 'inherit',
      buffered: true,
      name: file,
    })
  const isDrill = (file: string): boolean => file.startsWith(`${DRILLS}${sep}`)
  for (const file of files.filter(isDrill)) await runFile(file)
  await Promise.all(files.filter((file) => !isDrill(file)).map(runFile))
  t.end()
  if (reader !== undefined) await once(reader, 'close')
  return t.passing()
}

/** Shows a person what went wrong, and not every line. */
function startReader() {
  const bin = join(createRequire(import.meta.url).resolve('tap/package.json'), '../dist/esm/run.mjs')
  return spawn(process.execPath, [bin, '-'], { cwd: ROOT, stdio: ['pipe', 'inherit', 'inherit'] })
}

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
  const checks = given.length === 0 && missing.length === 0 ? floor : []
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

/** A migrated database, which most tests start from: to copy it takes a fifth of the time that the migrations take. */
async function templateOn(server: string | undefined): Promise<{ name: string; drop(): Promise<void> } | undefined> {
  if (server === undefined) return undefined
  const name = databaseName()
  await run(server, `create database ${name}`)
  await migrated({ url: urlOf(server, name), dataDir: '' })
  return { name, drop: () => run(server, `drop database ${name} with (force)`) }
}

function allTests(): string[] {
  const names = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
  const tests = names.filter((name) => name.endsWith('.test.ts') && !name.split(sep).includes('node_modules'))
  return tests.map((name) => relative(ROOT, join(TESTS, name))).toSorted()
}

/** @param paths of files, or of folders */
function testsIn(paths: readonly string[]): string[] {
  const wanted = paths.map((path) => relative(ROOT, resolve(path)))
  const found = allTests().filter((test) => wanted.some((path) => test === path || test.startsWith(`${path}${sep}`)))
  if (found.length === 0) throw new Error(`No test is at ${paths.join(', ')}: name a file or a folder of test/`)
  return found
}

function testsThatRun(): string[] {
  const files = allTests()
  const starters = missing.map(({ helper }) => join(SERVERS, helper))
  // What only uses a shared server starts none.
  const isShared = urls['TEST_DATABASE_URL'] !== undefined && urls['TEST_REDIS_URL'] !== undefined
  const left = files.filter((name) => {
    const modules = modulesOf(join(ROOT, name), isShared ? new Set([SHARED]) : new Set())
    return !starters.some((starter) => modules.has(starter))
  })
  console.log(
    `# ${left.length} of ${files.length} test files run without: ${missing.map((server) => server.package).join(', ')}`,
  )
  return left
}
