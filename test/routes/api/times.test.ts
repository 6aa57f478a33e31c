import t from 'tap'
import { exportUsers } from '../../../services/users/export.js'
import { Caller } from '../../helpers/app.js'
import { onBothDatabases } from '../../helpers/both-databases.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
const FIRST = '0001-01-01T00:00:00.000Z'
const LAST = '9999-12-31T23:59:59.999Z'

t.setTimeout(120_000)

onBothDatabases(t, async (t, { app, admin, newUser }) => {
  const sql = (text: string) => app.db.query({ name: 'test', text })
  const user = await newUser()

  t.test('rows that somebody gave times by SQL which no text of RFC 3339 has stand in nobody’s way', async (t) => {
    const { body: start } = await user.get('/api/changes')
    const times = { infinity: LAST, '-infinity': FIRST, '0044-03-15 BC': FIRST, '20000-01-01': LAST }
    for (const [time, told] of Object.entries(times)) {
      await sql(`insert into designs (user_id, filename, file_path, platform, created_at, updated_at)
        values ('${user.id}', '${told}', '/f', 'etsy', '${time}', '${time}')`)
    }
    await user.post('/api/designs', { ...DESIGN, filename: 'made' })
    const told = ({ filename, created_at: made, updated_at: changed }: Record<string, string>): boolean =>
      filename === 'made' || (made === filename && changed === filename)
    const { body: page } = await user.get(`/api/changes?since=${start.next_cursor}`)
    t.equal(page.changes.length, 5)
    t.ok(
      page.changes.every(({ row }: { row: Record<string, string> }) => told(row)),
      'told',
    )
    const { body: list } = await user.get('/api/designs')
    t.equal(list.items.length, 5)
    t.ok(list.items.every(told), 'listed')
    const lines = (await user.get('/api/designs/export')).text.trimEnd().split('\n')
    t.same(
      lines.map((line) => String(JSON.parse(line).created_at).slice(0, 4)).toSorted(),
      ['0001', '0001', '2026', '9999', '9999'].map((year) =>
        year === '2026' ? `${new Date().getUTCFullYear()}` : year,
      ),
    )
  })

  t.test('a user with such times is exported as one that can be imported', async (t) => {
    const { body } = await admin.post('/api/users', { email: 'odd@example.com', shop_name: 'Odd' })
    await sql(`update users set created_at = 'infinity' where id = '${body.id}'`)
    for await (const { id, line } of exportUsers(app.db)) {
      if (id !== body.id) continue
      t.match(JSON.parse(line), { created_at: '9999-12-31T23:59:59.999000Z', updated_at: /^20.*\dZ$/ })
    }
  })

  t.test('a token that expires at infinity does not, and one that expired before all times has', async (t) => {
    const made = async (expiresAt: string): Promise<Caller> => {
      const { body } = await admin.post(`/api/users/${user.id}/tokens`, { name: 'by hand' })
      await sql(`update tokens set expires_at = '${expiresAt}' where id = '${body.id}'`)
      return new Caller(app, body.token)
    }
    const [forever, never] = [await made('infinity'), await made('-infinity')]
    t.match(await forever.get('/api/users/me'), { status: 200, body: { id: user.id } })
    t.equal((await never.get('/api/users/me')).status, 401)
    t.match((await user.get(`/api/users/${user.id}/tokens`)).body.items, [{ expires_at: FIRST }, { expires_at: LAST }])
    const { body: child } = await forever.post(`/api/users/${user.id}/tokens`, { name: 'child' })
    t.equal(child.expires_at, LAST)
  })
})
