import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { Link } from '../../drills/link.js'
import { type Answer, startService, type TestService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { runSql } from '../../helpers/run-sql.js'
import { binaryDirectory, type PostgresServer, startPostgres } from '../../helpers/servers/postgres.js'
import { copyDirectory } from '../../helpers/servers/servers.js'

/** Cursors of before, when the database was taken back, moved, or changed where nobody saw it. */
const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
const PATIENCE_MS = 30_000

t.setTimeout(240_000)

interface Scene {
  readonly postgres: PostgresServer
  readonly url: string
  readonly service: TestService
  readonly user: UserCaller
  sql(text: string): Promise<Record<string, unknown>[]>
  start(): Promise<string>
  /** A page, once the service answers again. */
  since(cursor: string): Promise<Answer>
  create(description: string): Promise<string>
}

async function setUp(t: Test, { postgres, port }: { postgres?: PostgresServer; port?: number } = {}): Promise<Scene> {
  const server = postgres ?? (await startPostgres())
  const url = await server.createDatabase()
  const seen = port === undefined ? url : url.replace(`:${server.port}/`, `:${port}/`)
  const service = await startService(t, { env: { DATABASE_URL: seen, CACHE_STALENESS_BOUND_MS: '1000' } })
  if (postgres === undefined) t.teardown(() => server.stop())
  const user = await service.newUser()
  const answered = (work: () => Promise<Answer>): Promise<Answer> =>
    until(
      async () => {
        const answer = await work()
        return answer.status < 500 ? answer : undefined
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 100, describe: 'it answers again' },
    )
  return {
    postgres: server,
    url,
    service,
    user,
    sql: (text) => runSql(url, text),
    start: async () => (await answered(() => user.get('/api/changes'))).body.next_cursor,
    since: (cursor) => answered(() => user.get(`/api/changes?since=${cursor}`)),
    create: async (description) =>
      (await answered(() => user.post('/api/designs', { ...DESIGN, description }))).body.id,
  }
}

const idsOf = ({ body }: Answer): string[] => body.changes.map(({ id }: { id: string }) => id)

function expired(t: Test, answer: Answer, what: string): void {
  t.match(answer, { status: 410, body: { code: 'CURSOR_EXPIRED' } }, what)
}

t.test('a crash, and a clean restart: nothing is missed, and something may come twice', async (t) => {
  const scene = await setUp(t)
  const { postgres, service } = scene
  const start = await scene.start()
  const first = await scene.create('before')
  await service.app.changes?.keeper.mark()
  const second = await scene.create('behind the mark')
  const { body: page } = await scene.since(start)
  t.same(idsOf({ body: page } as Answer), [first, second])
  for (const end of [() => postgres.kill().then(() => postgres.restart()), () => postgres.restart()]) {
    await end()
    const third = await scene.create('after')
    const after = await scene.since(page.next_cursor)
    t.ok(idsOf(after).includes(third), 'what came after it')
    t.same(idsOf(await scene.since(after.body.next_cursor)), [], 'and then all is said')
  }
})

t.test('ids of transactions that are given out again', async (t) => {
  // What is not a commit stays in memory until then, and is lost with the crash.
  const postgres = await startPostgres({ wal_writer_delay: '10000ms' })
  t.teardown(() => postgres.stop())
  const scene = await setUp(t, { postgres })
  let again = 0
  // A commit of anybody's just before the crash, such as a replica's report, keeps the ids: then once more.
  for (let round = 1; round <= 3 || (again === 0 && round <= 10); round++) {
    const start = await scene.start()
    await scene.create(`before ${round}`)
    const before = (await scene.since(start)).body.next_cursor
    const client = new pg.Client(scene.url)
    client.on('error', () => {})
    await client.connect()
    for (let n = 0; n < 20; n += 1) await client.query('begin; select pg_current_xact_id(); rollback')
    const cursor = (await scene.since(before)).body.next_cursor
    const id = `select pg_backend_pid() as pid, pg_current_xact_id()::text::bigint::integer as id`
    const { rows } = await client.query<{ pid: number; id: number }>(id)
    process.kill(rows[0]!.pid, 'SIGKILL')
    const made = [await scene.create(`one of ${round}`), await scene.create(`two of ${round}`)]
    const [lowest] = await scene.sql(
      'select min(changed_in::text::bigint)::integer as id from (select changed_in from changes order by changed_in desc limit 2) c',
    )
    if (Number(lowest?.['id']) < rows[0]!.id) again += 1
    t.same(
      idsOf(await scene.since(cursor)).filter((found) => made.includes(found)),
      made,
      'transactions with ids that the cursor takes for old ones',
    )
  }
  t.ok(again > 0, 'ids were given out again')
})

t.test('changes that no trigger saw, or that came otherwise', async (t) => {
  const scene = await setUp(t)
  const { sql, since, start } = scene
  const id = await scene.create('first')
  let cursor = await start()

  await sql(`set session_replication_role = replica; update designs set description = 'as a replica does'`)
  const replicated = await since(cursor)
  t.match(replicated.body.changes, [{ id, row: { description: 'as a replica does' } }], 'its triggers fire always')

  await sql('alter table designs disable trigger changes_note')
  t.equal((await scene.user.get(`/api/changes?since=${cursor}`)).status, 503, 'nothing is told that may be incomplete')
  await sql(`update designs set description = 'unseen'`)
  await sql('alter table designs enable always trigger changes_note')
  expired(t, await since(cursor), 'a trigger was off for a while')

  cursor = await start()
  await sql('truncate designs cascade')
  expired(t, await since(cursor), 'truncated')
  const next = await start()
  await sql('begin; truncate mockups; rollback')
  t.equal((await since(next)).status, 200, 'a truncate that was rolled back')
})

t.test('restored in place, and from a dump into another database', async (t) => {
  const scene = await setUp(t)
  const { url } = scene
  const folder = mkdtempSync(join(tmpdir(), 'rh-dump-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const dump = join(folder, 'dump')
  const run = (command: string, ...args: string[]) => execFileSync(join(binaryDirectory(), command), args)
  await scene.create('in the dump')
  const cursor = await scene.start()
  run('pg_dump', '-Fc', '-d', url, '-f', dump)
  await scene.create('taken back')
  run('pg_restore', '--clean', '--if-exists', '-d', url, dump)
  expired(t, await scene.since(cursor), 'pg_restore --clean')

  const elsewhere = await scene.postgres.createDatabase()
  run('pg_restore', '-d', elsewhere, dump)
  const { anonymous, app } = await startService(t, {
    env: { DATABASE_URL: elsewhere, CACHE_STALENESS_BOUND_MS: '1000' },
  })
  const headers = { authorization: `Bearer ${scene.user.token}` }
  expired(t, await anonymous.get(`/api/changes?since=${cursor}`, headers), 'a cursor of the other database')
  const { body } = await anonymous.get('/api/changes', headers)
  await anonymous.post('/api/designs', DESIGN, headers)
  t.equal((await anonymous.get(`/api/changes?since=${body.next_cursor}`, headers)).body.changes.length, 1)
  await app.close()
})

t.test('the files of before put back after a clean stop', async (t) => {
  const scene = await setUp(t)
  const { postgres } = scene
  const first = await scene.start()
  await scene.create('in the copy')
  await scene.service.app.changes?.keeper.mark()
  await postgres.stop()
  const copy = mkdtempSync(join(tmpdir(), 'rh-files-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  copyDirectory(postgres.data, join(copy, 'data'))
  await postgres.restart()
  await scene.create('taken back')
  const second = await scene.start()
  await postgres.stop()
  rmSync(postgres.data, { recursive: true })
  copyDirectory(join(copy, 'data'), postgres.data)
  await postgres.restart()
  const made = await scene.create('on the new branch')
  expired(t, await scene.since(second), 'a cursor of what was taken back')
  t.equal(idsOf(await scene.since(first)).at(-1), made, 'a cursor of before goes on')
})

t.test('a promoted standby, with the last writes lost', async (t) => {
  const primary = await startPostgres()
  const link = await Link.open(primary.port)
  const scene = await setUp(t, { postgres: primary, port: link.port })
  const standby = await startPostgres({}, { standbyOf: primary })
  t.teardown(() => {
    link.close()
    return Promise.all([primary.stop(), standby.stop()])
  })
  const cursor = await scene.start()
  await scene.create('may be lost')
  await primary.kill()
  link.cut()
  const onStandby = new pg.Client(standby.url.replace(/\/postgres$/, new URL(scene.url).pathname))
  await onStandby.connect()
  await onStandby.query('select pg_promote(wait => true)')
  await onStandby.end()
  link.lead(standby.port)
  link.restore()
  expired(t, await scene.since(cursor), 'nobody knows what was lost')
  const anew = await scene.start()
  const made = await scene.create('after the promotion')
  t.same(idsOf(await scene.since(anew)), [made])
})

t.test('what is older than it has to be kept goes, and cursors from before it are refused', async (t) => {
  const scene = await setUp(t)
  const { sql } = scene
  const keeper = scene.service.app.changes!.keeper
  const old = await scene.start()
  await scene.create('old')
  t.equal(await keeper.prune(), 0)
  const between = await scene.start()
  await sql(`update changes_state set marked_at = array(select at - interval '8 days' from unnest(marked_at) at)`)
  const young = await scene.create('young')
  t.equal(await keeper.prune(), 2, 'that the user was made, and the old row')
  t.equal((await sql('select from changes')).length, 1)
  expired(t, await scene.since(old), 'what it has not seen is gone')
  t.same(idsOf(await scene.since(between)), [young])
  t.equal(await keeper.prune(), 0)
})
