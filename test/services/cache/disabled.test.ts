import t from 'tap'
import type { EntryOptions } from '../../../services/cache/index.js'
import { entry, Rows, startWorld, words } from '../../helpers/cache/replicas.js'

t.test('switched off, everything is loaded and nothing is kept', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1, options: { isEnabled: false } })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  t.equal(await rows.read(only, 'a'), 'x: bypass')
  const { key, ...options } = entry('a')
  const many = ['a', 'b'].map((name) => entry(name)).map(({ key, ...one }) => ({ key, options: one as EntryOptions }))
  const lookups = await only.cache.getMany(many, async (missing) => missing.map((at) => (at === 0 ? 'x' : undefined)))
  t.same(lookups.map(words), ['x: bypass', 'nothing: bypass'])
  t.equal(only.cache.set(key, options, 'x', only.cache.begin()), false)
  t.equal(await only.cache.get(key, options), undefined)
  t.match(only.cache.stats(), { misses: 3, loads: 3 })
  t.equal(only.cache.state, 'disabled')
  t.equal(only.journal.tails, 0)
  t.match(only.cache.health(), { redis: 'disabled', journal: 'disabled', announcements: 'disabled' })
  await only.cache.waitFor({ transaction: 99, isOfThisHistory: true })
})
