import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DatabaseUnavailableError, openDatabase } from '../../../../services/database/index.js'
import { preparedPgliteDir } from '../../../helpers/pglite.js'
import { temporaryDirectory } from '../../../helpers/servers/servers.js'
import { TYPESCRIPT } from '../../../helpers/typescript.js'
import { query } from '../conformance.js'

const INDEX = new URL('../../../../services/database/index.ts', import.meta.url).href
/** Some hundred milliseconds. */
const LONG = 'select count(*)::int as count from generate_series(1, 2000000)'
/** Hours. */
const ENDLESS = 'select count(*) from generate_series(1, 100000) a, generate_series(1, 1000000) b'

t.test('while a statement runs the event loop does other things', async (t) => {
  const database = await openDatabase({ dataDir: await preparedPgliteDir() })
  t.teardown(() => database.close())
  let turns = 0
  const turning = setInterval(() => (turns += 1), 1)
  const before = turns
  t.same(await query(database, LONG), [{ count: 2_000_000 }])
  clearInterval(turning)
  t.ok(turns - before >= 10, `${turns - before} turns`)
})

t.test('what the database says of an error, and its class, come through', async (t) => {
  const database = await openDatabase({ dataDir: await preparedPgliteDir() })
  t.teardown(() => database.close())
  await query(database, 'create table once (id integer primary key)')
  await query(database, 'insert into once values (1)')
  const twice = { code: '23505', severity: 'ERROR', constraint: 'once_pkey', message: /duplicate key/ }
  await t.rejects(query(database, 'insert into once values (1)'), twice)
  await t.rejects(
    database.transaction((transaction) => transaction.query({ name: 'test', text: 'insert into once values (1)' })),
    twice,
  )
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  await t.rejects(database.query({ name: 'test', text: 'select $1::jsonb', values: [circular] }), TypeError)
  await t.rejects(database.query({ name: 'test', text: 'select $1::jsonb', values: [() => {}] }), 'no clone, no crash')
  t.same(await query(database, 'select id from once'), [{ id: 1 }], 'it goes on')
})

/** `run` may call `open()` and `ask(text)`; `Worker.last` is the thread, `Worker.asked` what it was asked, `Worker.first` what happens before that. */
async function outcomeOf(
  run: string,
  { options = [], nodeOptions }: { readonly options?: readonly string[]; readonly nodeOptions?: string } = {},
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const script = join(temporaryDirectory(), 'run.ts')
  writeFileSync(
    script,
    `import { Worker } from 'node:worker_threads'
    import { openDatabase } from '${INDEX}'
    const post = Worker.prototype.postMessage
    Worker.asked = []
    Worker.prototype.postMessage = function (...args) {
      // Node 20 loads modules by a thread as well.
      if ('ask' in args[0]) {
        Worker.last = this
        Worker.asked.push(args[0].ask)
        Worker.first?.()
      }
      return post.apply(this, args)
    }
    const open = () => openDatabase({ dataDir: '${await preparedPgliteDir()}' })
    const ask = (text) => database.query({ name: 'test', text })
    let database
    ${run}`,
  )
  const { NODE_OPTIONS: _, ...others } = process.env
  const env = { ...others, ...(nodeOptions !== undefined && { NODE_OPTIONS: nodeOptions }) }
  return spawnSync(process.execPath, [TYPESCRIPT, ...options, script], { encoding: 'utf8', timeout: 60_000, env })
}

t.test('what the process was told to load first is not loaded in the thread', async (t) => {
  const run = `database = await open()
    console.error(...await ask('select 1 as one'), 'thread', Worker.last.threadId)
    await database.close()`
  const first = join(temporaryDirectory(), 'first.mjs')
  writeFileSync(first, "import { threadId } from 'node:worker_threads'; console.error('loaded in', threadId)")
  for (const [how, from] of [
    ['on the command line', { options: [`--import=${first}`] }],
    ['by NODE_OPTIONS', { nodeOptions: `--import=${first}` }],
  ] as const) {
    const { status, stderr } = await outcomeOf(run, from)
    t.equal(status, 0)
    const thread = Number(/\{ one: 1 \} thread (\d+)/.exec(stderr)?.[1])
    t.ok(thread > 0, how)
    t.match(stderr, /loaded in 0/, how)
    t.notOk(stderr.includes(`loaded in ${thread}`), how)
  }
})

t.test('the thread keeps no process from its end, and a statement under way does', async (t) => {
  const { status, stderr } = await outcomeOf(`
    database = await open()
    await database.listen('room', () => {})
    void ask('${LONG}').then(() => console.error('answered'))`)
  t.match({ status, stderr }, { status: 0, stderr: /answered/ })
})

t.test('a thread that is lost ends the process: nothing could be asked of the database any more', async (t) => {
  const { status, stderr } = await outcomeOf(`
    setInterval(() => {}, 1_000)
    database = await open()
    ask('${ENDLESS}').catch(({ code }) => console.error(code))
    setTimeout(() => Worker.last.terminate(), 50)`)
  t.match(
    { status, stderr },
    { status: 1, stderr: /DATABASE_UNAVAILABLE[^]*The thread of the embedded database has ended/ },
  )
})

t.test('a thread that does not start is a database that can not be opened', async (t) => {
  const { status, stderr } = await outcomeOf(`
    Worker.first = () => void Worker.last.terminate()
    await open().catch(({ name }) => console.error(name))`)
  t.match({ status, stderr }, { status: 0, stderr: /^CanNotStartError\n$/ })
})

t.test(
  'a statement that comes after the close is refused, and the process stays until the thread has ended',
  async (t) => {
    const { status, stderr } = await outcomeOf(`
    const block = (ms) => {
      for (const until = performance.now() + ms; performance.now() < until; );
    }
    database = await open()
    const closing = database.close()
    // The thread has closed the database, and refused the statement, before this one hears of either.
    while (Worker.asked.at(-1) !== 'close') await new Promise((resolve) => setImmediate(resolve))
    block(1_000)
    ask('select 1').catch(({ code }) => console.error(code))
    while (Worker.asked.at(-1) !== 'query') await undefined
    block(500)
    await closing
    console.error('closed')`)
    t.match({ status, stderr }, { status: 0, stderr: /^DATABASE_UNAVAILABLE\nclosed\n$/ })
  },
)

t.test('a statement under way at the close is answered', async (t) => {
  const database = await openDatabase({ dataDir: await preparedPgliteDir() })
  const answer = query(database, LONG)
  await database.close()
  t.same(await answer, [{ count: 2_000_000 }])
  await t.rejects(query(database, 'select 1'), DatabaseUnavailableError)
})
