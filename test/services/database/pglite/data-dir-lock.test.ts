import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockByName, lockDataDir } from '../../../../services/database/pglite/data-dir-lock.js'
import { temporaryDirectory } from '../../../helpers/servers/servers.js'
import { TYPESCRIPT } from '../../../helpers/typescript.js'

const LOCK = new URL('../../../../services/database/pglite/data-dir-lock.js', import.meta.url).href

/** What a container of its own has: process ids and a network of its own, and the folder in common. */
const CONTAINER = ['unshare', '--pid', '--net', '--fork', '--kill-child', '--mount-proc']
const skipContainers = spawnSync('unshare', [...CONTAINER.slice(1), 'true']).status !== 0 && 'unshare is not permitted'

interface Contender {
  readonly process: ChildProcess
  readonly answer: string
}

/** Another process that takes the lock and keeps it, or says why not. */
async function contender(test: Test, dataDir: string, before: readonly string[] = []): Promise<Contender> {
  const script = `
    const { lockDataDir } = await import(${JSON.stringify(LOCK)})
    const answer = await lockDataDir(${JSON.stringify(dataDir)}).then(() => 'held', (error) => error.message)
    console.log(answer)
    if (answer === 'held') setInterval(() => {}, 1000)`
  const [command, ...args] = [...before, process.execPath, TYPESCRIPT, '--input-type=module', '-e', script]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  test.teardown(() => child.kill('SIGKILL'))
  const [answer]: unknown[] = await once(child.stdout, 'data')
  return { process: child, answer: String(answer).trim() }
}

async function kill({ process: child }: Contender): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

const locksIn = (dataDir: string): string[] => readdirSync(dataDir).filter((name) => name.startsWith('lock.'))

t.test('one process has the folder, and the others are told which', async (t) => {
  const dataDir = temporaryDirectory()
  const drop = await lockDataDir(dataDir)
  await t.rejects(lockDataDir(dataDir), { message: new RegExp(`Process ${process.pid} .* DATA_DIR.* DATABASE_URL`) })
  const { answer } = await contender(t, dataDir)
  t.match(answer, `Process ${process.pid} `)
  drop()
  t.same(locksIn(dataDir), [], 'nothing is left')
  t.equal((await contender(t, dataDir)).answer, 'held')
})

t.test('what a killed process leaves is no lock, whoever has its id by now', async (t) => {
  const dataDir = temporaryDirectory()
  const killed = await contender(t, dataDir)
  t.equal(killed.answer, 'held')
  await kill(killed)
  t.equal(locksIn(dataDir).length, 1)
  // As of a release that trusted a file with the id of a process, and of a process that runs.
  writeFileSync(join(dataDir, 'lock'), JSON.stringify({ pid: process.ppid }))
  const drop = await lockDataDir(dataDir)
  t.match(locksIn(dataDir), [new RegExp(`^lock\\.${process.pid}\\.`)], 'and it is cleared away')
  drop()
})

t.test('a process that is stopped still has the folder', async (t) => {
  const dataDir = temporaryDirectory()
  const stopped = await contender(t, dataDir)
  stopped.process.kill('SIGSTOP')
  await t.rejects(lockDataDir(dataDir), { message: new RegExp(`Process ${stopped.process.pid} `) })
  await kill(stopped)
  await lockDataDir(dataDir).then((drop) => drop())
})

t.test('two containers with one volume do not both have it', { skip: skipContainers }, async (t) => {
  const dataDir = temporaryDirectory()
  const first = await contender(t, dataDir, CONTAINER)
  t.equal(first.answer, 'held')
  t.match(locksIn(dataDir), [/^lock\.1\./], 'each is process 1 where it runs')
  t.match((await contender(t, dataDir, CONTAINER)).answer, 'Process 1 ')
  await t.rejects(lockDataDir(dataDir), { message: /Process 1 / })
  await kill(first)
  t.equal((await contender(t, dataDir, CONTAINER)).answer, 'held')
})

t.test('of several at the same moment at most one has it, among the leavings of others', async (t) => {
  const dataDir = temporaryDirectory()
  for (let round = 0; round < 3; round++) {
    const contenders = await Promise.all(Array.from({ length: 4 }, () => contender(t, dataDir)))
    const holders = contenders.filter(({ answer }) => answer === 'held')
    t.ok(holders.length <= 1, `${holders.length} holders`)
    for (const holder of holders) await kill(holder)
  }
  for (let round = 0; round < 20; round++) {
    const taken = await Promise.allSettled(Array.from({ length: 3 }, () => lockDataDir(dataDir)))
    const drops = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    if (drops.length > 1) t.fail(`${drops.length} holders in one process`)
    for (const drop of drops) drop()
  }
  t.same(locksIn(dataDir), [])
})

t.test('a path too long for a socket is no hindrance on Linux', { skip: process.platform !== 'linux' }, async (t) => {
  const dataDir = join(temporaryDirectory(), 'a'.repeat(100), 'b'.repeat(100))
  mkdirSync(dataDir, { recursive: true })
  const drop = await lockDataDir(dataDir)
  await t.rejects(lockDataDir(dataDir), { message: /Process \d+ / })
  drop()
  await lockDataDir(dataDir).then((again) => again())
  t.same(locksIn(dataDir), [])
})

t.test('where a folder holds no sockets the name is the lock', { skip: process.platform !== 'linux' }, async (t) => {
  const name = `\0roundhouse-test-${process.pid}`
  const drop = await lockByName(name, '/data')
  await t.rejects(lockByName(name, '/data'), { message: /Another process has .* \/data open/ })
  drop()
  await lockByName(name, '/data').then((again) => again())
})
