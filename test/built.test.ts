import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { until } from './helpers/deadline.js'
import { freePort, temporaryDirectory } from './helpers/servers/servers.js'

const ROOT = join(import.meta.dirname, '..')
const SOURCES = [
  'app.ts',
  'server.ts',
  'starting.ts',
  'migrate.ts',
  'plugins',
  'routes',
  'services',
  'commands',
  'dashboard',
]
const CONFIGURATION = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
const ADMIN_TOKEN = 'an-admin-token-of-the-tests-0123456789'
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.setTimeout(180_000)

interface Running {
  readonly process: ChildProcess
  output: string
  ask(
    method: string,
    path: string,
    options?: { body?: object; token?: string; minVersion?: string; raw?: boolean },
  ): Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly version: string | null
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
  readonly body: any
}

/** `npm start` without its build: the very process, ready to answer. */
async function start(test: Test, folder: string, dataDir: string): Promise<Running> {
  const port = await freePort()
  const env = { PATH: process.env['PATH'], PORT: `${port}`, DATA_DIR: dataDir, ADMIN_TOKENS: ADMIN_TOKEN }
  const child = spawn(process.execPath, ['dist/server.js'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  test.teardown(() => child.kill('SIGKILL'))
  const running: Running = {
    process: child,
    output: '',
    async ask(method, path, { body, token = ADMIN_TOKEN, minVersion, raw = false } = {}) {
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(minVersion !== undefined && { 'roundhouse-min-version': minVersion }),
      }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const version = response.headers.get('roundhouse-version')
      return { status: response.status, version, body: raw ? text : text === '' ? {} : JSON.parse(text) }
    },
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (running.output += String(chunk)))
  await until(() => child.exitCode !== null || running.output.includes('Server listening'), {
    timeoutMs: 60_000,
    describe: 'the service listens',
  })
  if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${running.output}`)
  return running
}

async function ended({ process: child }: Running, signal: NodeJS.Signals): Promise<unknown> {
  const exit = once(child, 'exit')
  child.kill(signal)
  return (await exit)[0]
}

t.test('built and started with nothing but a folder, ended and killed, it goes on where it was', async (t) => {
  // Inside the repository, so that its packages are found.
  const folder = t.testdir()
  for (const name of [...SOURCES, ...CONFIGURATION]) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  // The compiler does not run under the hooks that tap's command gives every child by NODE_OPTIONS.
  const build = ['--unset=NODE_OPTIONS', 'npm', 'run', 'build']
  execFileSync('env', build, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const dataDir = join(temporaryDirectory(), 'data')

  const first = await start(t, folder, dataDir)
  const { body: user } = await first.ask('POST', '/api/users', { body: { email: 'a@example.com', shop_name: 'A' } })
  const { body: issued } = await first.ask('POST', `/api/users/${user.id}/tokens`, { body: { name: 'one' } })
  const { token } = issued
  const made = await first.ask('POST', '/api/designs', { token, body: DESIGN })
  t.equal(made.status, 201)
  const path = `/api/designs/${made.body.id}`
  t.match(
    await first.ask('GET', '/dashboard/icon.svg', { raw: true }),
    { status: 200, body: /^<svg/ },
    'its pages are there',
  )
  t.match(await first.ask('GET', '/api/cache/health'), {
    status: 200,
    body: { status: 'healthy', state: 'memory-only' },
  })
  const changed = await first.ask('PATCH', path, { token, body: { description: 'before the end' } })
  t.equal((await first.ask('GET', path, { token, minVersion: changed.version ?? '' })).status, 200)
  t.equal(await ended(first, 'SIGINT'), 0)

  const second = await start(t, folder, dataDir)
  const read = await second.ask('GET', path, { token, minVersion: changed.version ?? '' })
  t.strictSame(read.body, changed.body, 'the row, also for a version of the run before')
  const again = await second.ask('PATCH', path, { token, body: { description: 'before the kill' } })
  t.equal(again.body.version, 3)
  await ended(second, 'SIGKILL')

  const third = await start(t, folder, dataDir)
  t.strictSame((await third.ask('GET', path, { token, minVersion: again.version ?? '' })).body, again.body)
  t.match(await third.ask('GET', path, { token }), { status: 200 })
  const last = await third.ask('PATCH', path, { token, body: { description: 'after the kill' } })
  t.match(last, { status: 200, body: { version: 4 } })
  t.equal((await third.ask('GET', path, { token })).body.description, 'after the kill', 'the journal is followed again')
  t.match((await third.ask('GET', '/api/cache/health')).body, { status: 'healthy', state: 'memory-only' })
  t.equal(await ended(third, 'SIGINT'), 0)

  const env = { PATH: process.env['PATH'], DATA_DIR: dataDir }
  await endsWithNpm(t, folder, env, 'npm alone')
  await endsWithNpm(t, folder, env, 'all of them')

  // Of packages in CommonJS, which are most, Node tells which files it has loaded.
  const loaded = `import module from 'node:module'; await import('./dist/app.js')
    console.log(Object.keys(module.createRequire(import.meta.url).cache).length); process.exit(0)`
  const alone = ['--unset=NODE_OPTIONS', process.execPath, '--input-type=module', '-e', loaded]
  t.ok(
    Number(execFileSync('env', alone, { cwd: folder, encoding: 'utf8' })) < 50,
    'packages are folded into a few files',
  )

  const migrated = execFileSync(process.execPath, ['dist/migrate.js'], { cwd: folder, env, encoding: 'utf8' })
  t.equal(migrated, 'The schema is up to date\n')

  const cli = join(folder, 'dist/commands/cli.js')
  t.match(readFileSync(cli, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  const diagnosis = execFileSync(process.execPath, [cli, 'doctor'], { cwd: folder, env, encoding: 'utf8' })
  t.match(JSON.parse(diagnosis), { faults: 0 })
})

/** npm's shell ends without handing the signal on. Nothing is compiled again. */
async function endsWithNpm(
  test: Test,
  folder: string,
  env: NodeJS.ProcessEnv,
  told: 'npm alone' | 'all of them',
): Promise<void> {
  const compiled = statSync(join(folder, 'dist/server.js')).mtimeMs
  const port = await freePort()
  const npm = spawn('npm', ['start'], {
    cwd: folder,
    env: { ...env, PORT: `${port}`, RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '6' },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  let output = ''
  npm.stdout.on('data', (chunk) => (output += String(chunk)))
  const group = -(npm.pid ?? 0)
  let isOver = false
  // The whole group: the server too, should it have been left behind.
  test.teardown(() => isOver || process.kill(group, 'SIGKILL'))
  const isUp = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/api/cache/health`)).ok
  await until(isUp, { timeoutMs: 60_000, describe: 'npm start serves' })
  test.equal(statSync(join(folder, 'dist/server.js')).mtimeMs, compiled)

  process.kill(told === 'npm alone' ? -group : group, 'SIGTERM')
  await until(() => output.includes('SIGTERM: closing'), { describe: `the server closes when ${told} had a SIGTERM` })
  await sleep(1_000)
  test.ok(await isUp(), 'it serves on for a third of the draining time')
  await until(
    () =>
      isUp().then(
        () => false,
        () => true,
      ),
    { timeoutMs: 20_000, describe: 'no server is left on the port' },
  )
  isOver = true
  test.notMatch(output, 'second SIGTERM')
}
