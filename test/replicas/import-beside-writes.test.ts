import pg from 'pg'
import t from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { design, imported } from '../helpers/importing.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

t.test('an import that somebody overtakes looks again: the row that they made is the one of its line', async (t) => {
  const url = await (await sharedPostgres(t)).serviceDatabase()
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  const waits = 'select exists (select from pg_locks where not granted) as is_so'
  const somebodyWaits = async (): Promise<boolean> => (await client.query<{ is_so: boolean }>(waits)).rows[0]!.is_so

  for (const [what, end, expected] of [
    ['the same row', 'commit', { read: 1, equal: 1 }],
    ['another row', 'commit', { read: 1, different: 1 }],
    ['one that is not to be', 'rollback', { read: 1, created: 1 }],
  ] as const) {
    const user = await newUser()
    await client.query('begin')
    await client.query(
      `insert into designs (user_id, filename, file_path, platform, external_id, description)
        values ($1, 'fox.png', '/a', 'etsy', 'sku-1', $2)`,
      [user.id, what === 'another row' ? 'of somebody else' : 'red'],
    )
    // One line: of several each would be tried by itself after a refusal, and so look again as well.
    const outcome = imported(app, user.id, [design('fox.png', { external_id: 'sku-1', description: 'red' })])
    await until(somebodyWaits, { describe: `the import waits for ${what}` })
    await client.query(end)
    t.same((await outcome).counts, expected, what)
    t.equal((await user.get('/api/designs')).body.items.length, 1)
  }
})
