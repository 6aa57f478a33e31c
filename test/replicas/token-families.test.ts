import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { Caller, startService } from '../helpers/app.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

/** The other replica hears of a revocation by reading the journal alone. */
const BOUND_MS = 400

t.setTimeout(120_000)

t.test('tokens that tokens made, on two replicas', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.serviceDatabase()
  const env = { DATABASE_URL: url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const here = await startService(t, { env })
  const there = await startService(t, { env: { ...env, DATABASE_UNPOOLED_URL: await postgres.serviceDatabase() } })
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  const statusOf = async (token: string, replica = there): Promise<number> =>
    (await new Caller(replica.app, token).get('/api/users/me')).status

  await t.test('are refused on every replica within the bound once their parent is revoked', async (t) => {
    const user = await here.newUser()
    const path = `/api/users/${user.id}/tokens`
    for (const revoke of [
      (id: string) => user.delete(`${path}/${id}`),
      (id: string) => client.query('delete from tokens where id = $1', [id]),
    ]) {
      const { body: parent } = await here.admin.post(path, { name: 'parent' })
      const { body: child } = await new Caller(here.app, parent.token).post(path, { name: 'child' })
      const { body: grandchild } = await new Caller(there.app, child.token).post(path, { name: 'grandchild' })
      const family = [parent, child, grandchild].map(({ token }) => token)
      for (const token of family) t.same([await statusOf(token), await statusOf(token)], [200, 200])
      await revoke(parent.id)
      await sleep(BOUND_MS)
      for (const token of family) t.same([await statusOf(token), await statusOf(token, here)], [401, 401])
    }
  })

  await t.test(
    'are not made any more by a parent that was revoked elsewhere, and that one is refused from then on',
    async (t) => {
      const user = await here.newUser()
      const path = `/api/users/${user.id}/tokens`
      const { body: parent } = await here.admin.post(path, { name: 'parent' })
      t.equal(await statusOf(parent.token), 200)
      await here.admin.delete(`${path}/${parent.id}`)
      t.equal((await new Caller(there.app, parent.token).post(path, { name: 'late' })).status, 401)
      t.equal(await statusOf(parent.token), 401)
      t.notOk((await here.admin.get(path)).body.items.some(({ name }: { name: string }) => name === 'late'))
    },
  )

  await t.test('are revoked with their parent although they are made at that very moment', async (t) => {
    const user = await here.newUser()
    const path = `/api/users/${user.id}/tokens`
    for (let n = 0; n < 20; n++) {
      const { body: parent } = await here.admin.post(path, { name: 'parent' })
      const maker = new Caller(there.app, parent.token)
      await maker.get('/api/users/me')
      const made = Array.from({ length: 4 }, () => maker.post(path, { name: 'racer' }))
      const revoked = here.admin.delete(`${path}/${parent.id}`)
      for (const { status } of await Promise.all(made)) t.ok(status === 201 || status === 401, `${status}`)
      t.equal((await revoked).status, 204)
    }
    const { rows } = await client.query(`select id from tokens where name = 'racer'`)
    t.same(rows, [])
  })
})
