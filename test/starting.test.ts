import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startFault } from '../starting.js'
import { freePort } from './helpers/servers/servers.js'
import { ServiceProcess } from './helpers/service-process.js'
import { TYPESCRIPT } from './helpers/typescript.js'

t.setTimeout(180_000)

const ADMIN_TOKENS = 'an-admin-token-of-the-tests-0123456789'

/** The service is process 1, as in a container. */
const CONTAINER = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const skipContainers = spawnSync('unshare', [...CONTAINER.slice(1), 'true']).status !== 0 && 'unshare is not permitted'

/** A database that takes connections and never says a word: the start waits for it. */
async function silentDatabase(test: Test): Promise<string> {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => server.close())
  const address = server.address()
  return `postgresql://u:p@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/db`
}

t.test('settings, files and place are judged together, a line each', async (t) => {
  const env = { PORT: '0x10', DATA_DIR: '/proc/none', ADMIN_TOKENS: `rh2_${'a'.repeat(60)}`, REDIS_URL: 'h:1' }
  const service = new ServiceProcess(t, env, { files: { '.env': '\uFEFFCACHE_TTL_SECONDS=1\n' } })
  t.equal(await service.ended(), 1)
  const lines = service.errors.trim().split('\n')
  t.match(lines, [
    'The environment has 5 faults:',
    /^ {2}\.env begins with a byte order mark/,
    /^ {2}PORT must be a whole number/,
    /^ {2}REDIS_URL must begin with/,
    /^ {2}ADMIN_TOKENS token 1 begins like a user's token/,
    /^ {2}DATA_DIR can not be a folder/,
  ])
  t.equal(lines.length, 6)
})

t.test('an address of another machine, and a folder that is a file', async (t) => {
  const env = { HOST: '192.0.2.1', DATA_DIR: 'data', PORT: String(await freePort()) }
  const service = new ServiceProcess(t, env, { files: { data: 'a file' } })
  t.equal(await service.ended(), 1)
  t.match(service.errors, /^ {2}DATA_DIR is a file, or leads through one.*\n {2}HOST is no address of this machine/m)
  const migration = new ServiceProcess(
    t,
    { ...env, DATA_DIR: 'data/below' },
    { entry: 'migrate.ts', files: { data: 'a file' } },
  )
  t.equal(await migration.ended(), 1)
  t.match(migration.errors, /1 fault:\n {2}DATA_DIR is a file, or leads through one/, 'which never listens')
})

t.test('a signal during the start ends it at once', async (t) => {
  const DATABASE_URL = await silentDatabase(t)
  for (const [signal, entry, code] of [
    ['SIGTERM', 'server.ts', 0],
    ['SIGINT', 'server.ts', 0],
    ['SIGTERM', 'migrate.ts', 143],
  ] as const) {
    const service = new ServiceProcess(t, { DATABASE_URL, ADMIN_TOKENS, PORT: '0' }, { entry })
    await sleep(4_000)
    const asked = performance.now()
    service.kill(signal)
    t.equal(await service.ended(), code, `${entry} ${signal}`)
    t.ok(performance.now() - asked < 2_000)
    t.match(service.output, `${signal} during the start: ended\n`)
  }
})

t.test('process 1 of a container hears SIGTERM while it starts', { skip: skipContainers }, async (t) => {
  const env = { DATABASE_URL: await silentDatabase(t), ADMIN_TOKENS, PORT: '0' }
  const service = new ServiceProcess(t, env, { before: CONTAINER })
  // What comes before the first line of ours is lost, which lasts longer here, where the source is compiled first.
  const signals = setInterval(() => void spawnSync('pkill', ['-TERM', '-P', String(service.pid)]), 100)
  t.equal(await service.ended(), 0)
  clearInterval(signals)
  t.equal(service.output, 'SIGTERM during the start: ended\n', 'before anything else')
})

t.test('an error that nobody foresaw is one line, with its stack in it', async (t) => {
  const error = new TypeError('first\n  second')
  t.match(startFault(error), /^The service could not start: TypeError: first \| second \| at [^\n]*$/)
  t.match(startFault('a text\nof two lines'), /^The service could not start: a text \| of two lines$/)
  // What is thrown where nobody waits for it, before there is a log.
  const script = `import { guardStart } from ${JSON.stringify(new URL('../starting.js', import.meta.url).href)}
    guardStart(0)
    process.emitWarning('be careful\\nhere')
    setTimeout(() => { throw new RangeError('far\\nout') }, 10)`
  const run = spawnSync(process.execPath, [TYPESCRIPT, '--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  t.equal(run.status, 1)
  t.match(run.stderr.trim().split('\n'), ['Warning: be careful | here', /RangeError: far \| out \| at /])
})

t.test('nothing is loaded before signals are heard', async (t) => {
  for (const file of ['server.ts', 'migrate.ts']) {
    const source = readFileSync(join(import.meta.dirname, '..', file), 'utf8')
    const loaded = [...source.matchAll(/^import (?!type )[^']*'([^']+)'/gm)].map(([, from]) => from)
    t.same(loaded, ['./starting.js'], file)
  }
})

t.test('process 1 of a container without NODE_ENV is production', { skip: skipContainers }, async (t) => {
  const [service, toldOtherwise] = [{}, { NODE_ENV: 'development', PORT: 'x' }].map(
    (env) => new ServiceProcess(t, env, { before: CONTAINER }),
  )
  t.equal(await service?.ended(), 1)
  t.match(service?.errors, /ADMIN_TOKENS is required in production.*\n {2}DATABASE_URL is required in production/)
  t.match(service?.errors, 'because process 1 of this container does nothing but run it')
  t.equal(await toldOtherwise?.ended(), 1)
  t.match(toldOtherwise?.errors, '1 fault:')
})
