import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { Link } from '../../drills/link.js'
import { startService, type TestService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { runSql } from '../../helpers/run-sql.js'
import {
  binaryDirectory,
  type PostgresServer,
  startPostgres,
  unprivilegedUser,
} from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import { copyDirectory } from '../../helpers/servers/servers.js'

/** The database taken back, moved, or changed behind the service's back, on real servers under two replicas that have everything cached. */
const BOUND_MS = 1_000
/** A restart, a recovery or a promotion may take this long before everybody answers again. */
const PATIENCE_MS = 20_000
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.setTimeout(240_000)

interface Scene {
  readonly postgres: PostgresServer
  readonly url: string
  readonly replicas: readonly TestService[]
  readonly user: UserCaller
  readonly design: string
  /** Through a connection of its own, past the service. */
  sql(text: string): Promise<Record<string, unknown>[]>
  patch(description: string): Promise<void>
  /** What the replicas answer for the design now: a description, or a status that is not 200. */
  answers(): Promise<unknown[]>
  /** Everybody has the design in memory, and Redis has it. */
  warm(): Promise<void>
}

async function setUp(t: Test, { postgres, port }: { postgres?: PostgresServer; port?: number } = {}): Promise<Scene> {
  const [server, redis] = await Promise.all([
    postgres ?? startPostgres({ max_prepared_transactions: '1' }),
    startRedis(),
  ])
  const url = await server.createDatabase()
  const seen = port === undefined ? url : url.replace(`:${server.port}/`, `:${port}/`)
  const env = { DATABASE_URL: seen, REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const replicas = [await startService(t, { env }), await startService(t, { env })]
  t.teardown(() => Promise.all([postgres === undefined && server.stop(), redis.stop()]))
  const user = await replicas[0]!.newUser()
  const { body } = await user.post('/api/designs', { ...DESIGN, description: 'first' })
  const headers = { authorization: `Bearer ${user.token}` }
  const path = `/api/designs/${body.id}`
  const answers = () =>
    Promise.all(
      replicas.map(async ({ anonymous }) => {
        const answer = await anonymous.get(path, headers)
        return answer.status === 200 ? answer.body.description : answer.status
      }),
    )
  return {
    postgres: server,
    url,
    replicas,
    user,
    design: body.id,
    answers,
    sql: (text) => runSql(url, text),
    async patch(description) {
      // Who is told to try again does, as with any write of this service.
      const done = async (): Promise<boolean> => {
        const { status, body } = await user.patch(path, { description })
        if (status !== 200 && status !== 503) throw new Error(`PATCH answered ${status}: ${JSON.stringify(body)}`)
        return status === 200
      }
      await until(done, { timeoutMs: PATIENCE_MS, describe: `PATCH to ${description} answered 200` })
    },
    async warm() {
      await until(async () => (await answers()).every((answer) => typeof answer === 'string'), {
        timeoutMs: PATIENCE_MS,
        describe: 'everybody answers',
      })
      for (let n = 0; n < 4; n++) await answers()
    },
  }
}

/** From H after now on nobody answers anything but `expected` or an error, and in the end everybody answers it. */
async function settles(t: Test, { answers }: Scene, expected: string | number, name: string): Promise<void> {
  await sleep(BOUND_MS)
  const wrong: unknown[] = []
  const everybody = async (): Promise<boolean> => {
    const now = await answers()
    wrong.push(...now.filter((answer) => answer !== expected && answer !== 503))
    return now.every((answer) => answer === expected)
  }
  await until(everybody, { timeoutMs: PATIENCE_MS, describe: `everybody answers ${expected}: ${name}` })
  for (let n = 0; n < 3; n++) await everybody()
  t.same(wrong, [], name)
}

function run(program: string, ...args: string[]): void {
  execFileSync(join(binaryDirectory(), program), args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...unprivilegedUser(),
    cwd: '/',
  })
}

function dumpOf({ url }: Scene, ...more: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'rh-dump-'))
  execFileSync('chmod', ['777', directory])
  const file = join(directory, 'dump')
  run('pg_dump', '-Fc', '-f', file, ...more, url)
  return file
}

t.test('SQL of others: UPDATE, COPY, DELETE, TRUNCATE, cascades', async (t) => {
  const scene = await setUp(t)
  const { sql, design, user } = scene
  await scene.warm()
  await sql(`update designs set description = 'by psql' where id = '${design}'`)
  await settles(t, scene, 'by psql', 'an update')
  await scene.warm()
  const lists = () =>
    Promise.all(
      scene.replicas.map(async ({ anonymous }) => {
        const { body } = await anonymous.get('/api/designs?limit=100', { authorization: `Bearer ${user.token}` })
        return body.items?.length
      }),
    )
  t.same(await lists(), [1, 1])
  await sql(`copy designs (id, user_id, filename, file_path, platform) from program
    'for n in 1 2 3; do echo "01a2069f-0000-7000-8000-00000000000$n\t${user.id}\tf\t/f\tetsy"; done'`)
  await sleep(BOUND_MS)
  t.same(await lists(), [4, 4])
  await sql(`delete from designs where filename = 'f'`)
  await sleep(BOUND_MS)
  t.same(await lists(), [1, 1])
  await sql('truncate mockups, designs')
  await settles(t, scene, 404, 'a truncate')
  await sql(`delete from users where id = '${user.id}'`)
  await settles(t, scene, 401, 'the user is gone, and the token with them')
})

t.test('schema changes, triggers off and on, long transactions, 50,000 rows in one', async (t) => {
  const scene = await setUp(t)
  const { sql, design, postgres, user } = scene
  await scene.warm()
  await sql(`alter table designs alter column description type varchar(5000) using upper(description)`)
  await settles(t, scene, 'FIRST', 'a rewritten column')
  await scene.warm()
  await sql(`alter table designs disable trigger all; update designs set description = 'unseen' where id = '${design}'`)
  await settles(t, scene, 'unseen', 'a change with the triggers off')
  t.ok(
    scene.replicas.every(({ app }) => app.cache.state === 'isolated'),
    'nobody relies on the journal meanwhile',
  )
  const names = await sql(`select tgname from pg_trigger where tgrelid = 'designs'::regclass and tgname ~ '^cache_'`)
  await sql('alter table designs enable trigger all')
  for (const { tgname } of names) await sql(`alter table designs enable always trigger ${String(tgname)}`)
  await until(async () => scene.replicas.every(({ app }) => app.cache.state === 'coherent'), { describe: 'coherent' })
  await settles(t, scene, 'unseen', 'the triggers are on again')

  const open = [new pg.Client(scene.url), new pg.Client(postgres.url)]
  for (const client of open) {
    await client.connect()
    await client.query('begin; select pg_current_xact_id()')
  }
  await scene.warm()
  for (const description of ['one', 'two', 'three']) {
    await scene.patch(description)
    await settles(t, scene, description, 'a write while others stay open')
  }
  for (const client of open) await client.end()
  await scene.warm()
  await sql(`insert into designs (id, user_id, filename, file_path, platform, description)
    select gen_random_uuid(), '${user.id}', 'bulk', '/b', 'etsy', 'bulk' from generate_series(1, 50000)`)
  await sql(`update designs set description = 'all of them'`)
  await settles(t, scene, 'all of them', '50,000 rows in one transaction')
  t.ok(scene.replicas.every(({ app }) => app.cache.state === 'coherent'))
})

t.test('restored in place: pg_restore --clean, data only, dropped and created', async (t) => {
  const scene = await setUp(t)
  const { url, sql, design, postgres } = scene
  await scene.patch('in the dump')
  await scene.warm()
  const dump = dumpOf(scene)
  await scene.patch('taken back')
  await scene.warm()
  run('pg_restore', '--single-transaction', '--clean', '--if-exists', '-d', url, dump)
  await settles(t, scene, 'in the dump', 'pg_restore --clean')

  await scene.patch('taken back again')
  await scene.warm()
  const data = dumpOf(scene, '--data-only', '-t', 'designs')
  await sql(`update designs set description = 'by hand' where id = '${design}'`)
  await scene.warm()
  await sql(`truncate designs cascade`)
  run('pg_restore', '--data-only', '--disable-triggers', '-d', url, data)
  await settles(t, scene, 'taken back again', 'data only, its triggers are left not always on')
  const database = await openDatabase({ url, dataDir: '' })
  await migrate(database, cachedTables)
  await database.close()
  await until(async () => scene.replicas.every(({ app }) => app.cache.state === 'coherent'), { describe: 'coherent' })

  await scene.warm()
  const admin = new pg.Client(postgres.url)
  await admin.connect()
  const name = new URL(url).pathname.slice(1)
  await admin.query(`drop database ${name} with (force)`)
  await admin.query(`create database ${name}`)
  await admin.end()
  run('pg_restore', '-d', url, dump)
  await settles(t, scene, 'in the dump', 'dropped, created and restored')
  await scene.patch('and on')
  await settles(t, scene, 'and on', 'writes afterwards')
})

t.test('a copy of the files put back after a clean stop', async (t) => {
  const scene = await setUp(t)
  const { postgres } = scene
  await scene.patch('in the copy')
  await scene.warm()
  await postgres.stop()
  const copy = mkdtempSync(join(tmpdir(), 'rh-files-'))
  copyDirectory(postgres.data, join(copy, 'data'))
  await postgres.restart()
  await scene.warm()
  await scene.patch('taken back')
  await scene.warm()
  await postgres.stop()
  rmSync(postgres.data, { recursive: true })
  copyDirectory(join(copy, 'data'), postgres.data)
  await postgres.restart()
  await settles(t, scene, 'in the copy', 'the files of before')
  rmSync(copy, { recursive: true })
})

t.test('a backend killed right after rollbacks: their ids are given out again', async (t) => {
  const scene = await setUp(t)
  for (const round of [1, 2]) {
    await scene.patch(`before ${round}`)
    await scene.warm()
    const client = new pg.Client(scene.url)
    client.on('error', () => {})
    await client.connect()
    for (let n = 0; n < 20; n++) {
      await client.query(`begin; update designs set description = 'rolled back'; select pg_current_xact_id(); rollback`)
    }
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    process.kill(rows[0]!.pid, 'SIGKILL')
    await settles(t, scene, `before ${round}`, 'after the crash')
    await scene.patch(`after ${round}`)
    await settles(t, scene, `after ${round}`, 'a write with an id that had been used')
  }
})

t.test('a copy of the database on the same Redis is another environment', async (t) => {
  const postgres = await startPostgres()
  const redis = await startRedis()
  t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
  const url = await postgres.createDatabase()
  const env = { REDIS_URL: redis.url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const first = await startService(t, { env: { ...env, DATABASE_URL: url } })
  const user = await first.newUser()
  const { body } = await user.post('/api/designs', { ...DESIGN, description: 'of the first' })
  const path = `/api/designs/${body.id}`
  await first.app.close()
  const admin = new pg.Client(postgres.url)
  await admin.connect()
  await admin.query(`create database copy template ${new URL(url).pathname.slice(1)}`)
  await admin.end()
  const original = await startService(t, { env: { ...env, DATABASE_URL: url } })
  const copy = await startService(t, { env: { ...env, DATABASE_URL: postgres.url.replace(/\/postgres$/, '/copy') } })
  const headers = { authorization: `Bearer ${user.token}` }
  const read = async ({ anonymous }: TestService) => (await anonymous.get(path, headers)).body.description
  t.equal(await read(original), 'of the first')
  await copy.app.db.query({ name: 'test', text: `update designs set description = 'of the copy'` })
  await sleep(BOUND_MS)
  for (let n = 0; n < 3; n++) {
    t.equal(await read(copy), 'of the copy')
    t.equal(await read(original), 'of the first')
  }
  t.equal((await original.anonymous.delete(`/api/users/${user.id}/tokens/x`, headers)).status, 404)
  await original.app.db.query({ name: 'test', text: 'delete from tokens' })
  await sleep(BOUND_MS)
  t.equal((await original.anonymous.get(path, headers)).status, 401)
  t.equal((await copy.anonymous.get(path, headers)).status, 200, 'a token of the copy is the copy’s')
})

for (const isLossy of [false, true]) {
  t.test(`a standby that is promoted, ${isLossy ? 'with the last writes lost' : 'with nothing lost'}`, async (t) => {
    const primary = await startPostgres()
    const link = await Link.open(primary.port)
    const scene = await setUp(t, { postgres: primary, port: link.port })
    const standby = await startPostgres({}, { standbyOf: primary })
    t.teardown(() => {
      link.close()
      return Promise.all([primary.stop(), standby.stop()])
    })
    const onStandby = new pg.Client(standby.url.replace(/\/postgres$/, new URL(scene.url).pathname))
    await onStandby.connect()
    const replayed = async (description: string) => {
      const { rows } = await onStandby.query(`select 1 from designs where description = '${description}'`)
      return rows.length === 1
    }
    await scene.patch('replicated')
    await until(() => replayed('replicated'), { describe: 'the standby has it' })
    if (isLossy) {
      await onStandby.query('select pg_wal_replay_pause()')
      await scene.patch('lost')
    }
    await scene.warm()
    await primary.kill()
    link.cut()
    await onStandby.query('select pg_promote(wait => false)')
    if (isLossy) await onStandby.query('select pg_wal_replay_resume()').catch(() => {})
    await until(async () => (await onStandby.query('select pg_is_in_recovery() as is')).rows[0].is === false, {
      timeoutMs: PATIENCE_MS,
      describe: 'promoted',
    })
    const { rows } = await onStandby.query<{ description: string }>('select description from designs')
    await onStandby.end()
    link.lead(standby.port)
    link.restore()
    await settles(t, scene, rows[0]!.description, 'what the new primary has')
    await scene.patch('after the promotion')
    await settles(t, scene, 'after the promotion', 'a write afterwards')
  })
}
