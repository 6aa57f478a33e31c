import t from 'tap'
import { profileTag, tokenEntry, tokensTag } from '../../../services/users/addresses.js'
import { tokenHash } from '../../../services/users/token-text.js'
import { startService } from '../../helpers/app.js'

t.test('a change of a user raises the profile and every token of theirs, whoever makes it', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const user = await newUser()
  const raisedBy = async (change: () => Promise<unknown>): Promise<string[]> => {
    await app.db.query({ name: 'test.forget', text: 'delete from cache_journal' })
    await change()
    const rows = await app.db.query<{ tags: string[] }>({ name: 'test.raised', text: 'select tags from cache_journal' })
    return rows.flatMap(({ tags }) => tags).toSorted()
  }
  const both = [profileTag(user.id), tokensTag(user.id)]
  t.same(await raisedBy(() => admin.patch(`/api/users/${user.id}`, { is_active: false })), both)
  const text = `update users set is_active = true where id = $1::uuid`
  t.same(await raisedBy(() => app.db.query({ name: 'test.update', text, values: [user.id] })), both)
  t.same(await raisedBy(() => user.patch('/api/users/me', { shop_name: 'Renamed' })), both)
})

t.test(
  'once a change of a user is acknowledged, nothing that memory holds of their tokens is served without a look',
  async (t) => {
    // So that no reading of the journal comes in between, which would tell of the change too.
    const { app, admin, newUser } = await startService(t, { env: { CACHE_STALENESS_BOUND_MS: '60000' } })
    const user = await newUser()
    const { key } = tokenEntry(user.id, tokenHash(user.token))
    await user.get('/api/users/me')
    t.ok(app.cache.peek(key))
    await admin.patch(`/api/users/${user.id}`, { role: 'owner' })
    t.equal(app.cache.peek(key), undefined)
  },
)
