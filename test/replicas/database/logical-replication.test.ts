import pg from 'pg'
import t from 'tap'
import { listTag } from '../../../services/resource/addresses.js'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const ENV = { TOKEN_SECRET: 'a-secret-of-both-sides-0123456789-abcdef', CACHE_STALENESS_BOUND_MS: '1000' }

t.test('a replica hears of the changes that its database takes over from another one', async (t) => {
  const postgres = await startPostgres({ wal_level: 'logical' })
  t.teardown(() => postgres.stop())
  const [sourceUrl, targetUrl] = [await postgres.createDatabase(), await postgres.createDatabase()]
  const source = await startService(t, { env: { ...ENV, DATABASE_URL: sourceUrl } })
  const target = await startService(t, { env: { ...ENV, DATABASE_URL: targetUrl } })
  const clients = [new pg.Client(sourceUrl), new pg.Client(targetUrl)] as const
  const [publisher, subscriber] = clients
  await Promise.all(clients.map((client) => client.connect()))
  t.teardown(() => Promise.all(clients.map((client) => client.end())))
  await publisher.query('create publication catalogue for table users, tokens, templates, designs, mockups')
  // Within one server a subscription can't make its slot itself.
  await publisher.query(`select pg_create_logical_replication_slot('catalogue', 'pgoutput')`)
  await subscriber.query(`create subscription catalogue connection '${sourceUrl}' publication catalogue
    with (create_slot = false, slot_name = 'catalogue', copy_data = false)`)
  t.teardown(async () => {
    await subscriber.query('alter subscription catalogue disable')
    await subscriber.query('alter subscription catalogue set (slot_name = none)')
    await subscriber.query('drop subscription catalogue')
  })

  const user = await source.newUser()
  const ask = (url: string) => target.anonymous.get(url, { authorization: `Bearer ${user.token}` })
  const shows = (what: string, check: () => Promise<boolean>) =>
    until(check, { describe: `the other side shows ${what}` })
  await shows('the token', async () => (await ask('/api/designs')).status === 200)

  const { body: design } = await user.post('/api/designs', { ...DESIGN, external_id: 'fox' })
  const url = `/api/designs/${design.id}`
  t.match((await ask('/api/designs/by-external-id/wolf')).status, 404)
  await shows('the insert', async () => (await ask(url)).status === 200)
  await shows('it in the list', async () => (await ask('/api/designs')).body.items.length === 1)
  await user.patch(url, { description: 'red', external_id: 'wolf' })
  await shows('the update', async () => (await ask(url)).body.description === 'red')
  await shows('it in the list', async () => (await ask('/api/designs')).body.items[0].description === 'red')
  await shows('its external_id', async () => (await ask('/api/designs/by-external-id/wolf')).status === 200)
  t.equal((await ask(url)).body.version, 2)

  const { rows } = await subscriber.query<{ tags: string[] }>(
    'select tags from cache_journal order by changed_in desc limit 1',
  )
  t.same(
    rows[0]?.tags.toSorted(),
    [
      listTag('designs', user.id),
      `${user.id}/designs/${design.id}`,
      ...['fox', 'wolf'].map((id) => `${user.id}/designs/by-external-id/${id}`),
    ].toSorted(),
    'one row of the journal for a row',
  )
  await user.delete(url)
  await shows('the delete', async () => (await ask(url)).status === 404)
  await shows('an empty list', async () => (await ask('/api/designs')).body.items.length === 0)
})
