import pg from 'pg'
import t from 'tap'
import { listTag } from '../../services/resource/addresses.js'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.test('the other replicas are told of what changed, and of nothing else', async (t) => {
  const postgres = await sharedPostgres(t)
  const url = await postgres.serviceDatabase()
  const { app, admin, newUser } = await startService(t, { env: { DATABASE_URL: url } })
  await until(() => app.cache.health().announcements === 'healthy', { describe: 'it announces' })
  const other = new pg.Client(url)
  await other.connect()
  t.teardown(() => other.end())
  const told: string[] = []
  other.on('notification', ({ payload = '' }) => told.push(...JSON.parse(payload).slice(1)))
  const { rows } = await other.query(`select 'cache_' || 'cache_journal'::regclass::oid as channel`)
  await other.query(`listen ${rows[0].channel}`)
  const user = await newUser()
  const { body: design } = await user.post('/api/designs', DESIGN)
  await until(() => told.includes(listTag('designs', user.id)), { describe: 'the new design is announced' })
  told.length = 0

  t.equal((await user.patch(`/api/designs/${design.id}`, DESIGN)).status, 200)
  t.equal((await user.put(`/api/designs/${design.id}`, DESIGN)).status, 200)
  t.equal((await admin.patch(`/api/users/${user.id}`, { is_active: true })).status, 200)
  t.equal((await user.patch(`/api/designs/${design.id}`, { description: 'new' })).status, 200)
  await until(() => told.includes(listTag('designs', user.id)), { describe: 'the change is announced' })
  const isOfDesigns = (tag: string): boolean => tag.startsWith(`${user.id}/designs`)
  t.same(
    told.filter((tag) => !isOfDesigns(tag)),
    [],
    'nothing of the user that stayed as it was',
  )
  t.equal(told.filter((tag) => tag.endsWith(design.id)).length, 1, 'the row once')
  t.equal(told.filter((tag) => tag === listTag('designs', user.id)).length, 1, 'and the design once')
})
