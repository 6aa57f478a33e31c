import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }

/** The service, and a session beside it that is never the one which a deadlock ends. */
async function beside(t: Test) {
  const url = await (await sharedPostgres(t)).serviceDatabase()
  const service = await startService(t, { env: { DATABASE_URL: url } })
  const user = await service.newUser()
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  await client.query(`set deadlock_timeout = '30s'`)
  const waiting = async (): Promise<number> => {
    const { rows } = await client.query<{ count: number }>(
      'select count(distinct pid)::integer as count from pg_locks where not granted',
    )
    return rows[0]?.count ?? 0
  }
  const somebodyWaits = (): Promise<unknown> =>
    until(async () => (await waiting()) > 0, { describe: 'a statement waits' })
  return { user, client, waiting, somebodyWaits }
}

t.test('who loses a deadlock begins anew', async (t) => {
  const { user, client, somebodyWaits } = await beside(t)
  const { body: first } = await user.post('/api/designs', DESIGN)
  const { body: second } = await user.post('/api/designs', DESIGN)
  const describe = 'update designs set description = $2 where id = $1'

  await t.test('many operations', async (t) => {
    await client.query('begin')
    await client.query(describe, [second.id, 'beside'])
    const operations = [first, second].map(({ id }) => ({ op: 'update', id, row: { filename: 'b.png' } }))
    const answer = user.post('/api/designs/bulk', { operations })
    await somebodyWaits()
    await client.query(describe, [first.id, 'beside'])
    await client.query('commit')
    t.match(await answer, {
      status: 200,
      body: {
        results: [
          { status: 200, version: 3 },
          { status: 200, version: 3 },
        ],
      },
    })
    t.match((await user.get(`/api/designs/${first.id}`)).body, { description: 'beside', filename: 'b.png' })
  })

  await t.test('one change', async (t) => {
    await client.query('begin')
    await client.query(
      `insert into designs (user_id, filename, file_path, platform, external_id) values ($1, 'c', '/c', 'etsy', 'c')`,
      [user.id],
    )
    const answer = user.patch(`/api/designs/${first.id}`, { external_id: 'c' })
    await somebodyWaits()
    await client.query(describe, [first.id, 'again'])
    await client.query('commit')
    t.match(await answer, { status: 409, body: { code: 'EXTERNAL_ID_TAKEN' } })
  })
})

t.test('bulks wait for those of other replicas, and nobody waits with them', async (t) => {
  const { user, client, waiting } = await beside(t)
  const lock = `hashtextextended('roundhouse designs ${user.id}', 0)`
  await client.query(`select pg_advisory_lock(${lock})`)
  const bulks = Array.from({ length: 4 }, () =>
    user.post('/api/designs/bulk', { operations: [{ op: 'create', row: DESIGN }] }),
  )
  await sleep(200)
  t.equal(await waiting(), 0, 'no statement waits, which would be ended after a while')
  t.match(await user.get('/api/designs'), { status: 200, body: { items: [] } }, 'lists of theirs are read meanwhile')
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::integer as count from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
  )
  t.ok((rows[0]?.count ?? 0) <= 1, 'one connection is theirs')
  await client.query(`select pg_advisory_unlock(${lock})`)
  t.same(new Set((await Promise.all(bulks)).map(({ status }) => status)), new Set([200]))
  t.equal((await user.get('/api/designs')).body.items.length, 4)

  await client.query(`select pg_advisory_lock(${lock})`)
  const many = Array.from({ length: 30 }, () =>
    user.post('/api/designs/bulk', { operations: [{ op: 'create', row: DESIGN }] }),
  )
  const first = await Promise.race(many)
  t.match(first, { status: 429, headers: { 'retry-after': /./ }, body: { code: 'TOO_MANY_READS' } })
  await client.query(`select pg_advisory_unlock(${lock})`)
  const statuses = (await Promise.all(many)).map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 429).length, 10, 'twenty at a time')
  t.equal(statuses.filter((status) => status === 200).length, 20)
  t.match(await user.post('/api/designs/bulk', { operations: [{ op: 'create', row: DESIGN }] }), { status: 200 })
})
