import t from 'tap'
import { BOUND_MS, entry, Rows, startWorld, tagOf } from '../../helpers/cache/replicas.js'

t.test('one sentence says what answers a read and why, as long as the entry lives and after it', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  const policy = { ttl: 10_000, grace: 5_000 }
  const { key, ...options } = entry('a', policy)
  const verdict = async (): Promise<string> => (await only.cache.inspect(key, options)).verdict
  const states = async (): Promise<string[]> => {
    const { memory, redis } = await only.cache.inspect(key, options)
    return [memory.state, redis.state]
  }

  t.match(await verdict(), /no tier holds this/)
  database.rows.set('a', 'x')
  await rows.read(only, 'a', policy)
  t.match(await verdict(), /^Memory answers with a document .* which shows every change heard of\.$/)
  t.same(await states(), ['fresh', 'fresh'])
  await clock.advance(4_000)
  const { memory, redis } = await only.cache.inspect(key, options)
  for (const { age_ms: ageMs, ttl_ms: ttlMs } of [memory, redis]) t.same([ageMs, ttlMs], [4_000, 6_000])
  await clock.advance(6_000)
  t.match(await verdict(), /^Memory answers .* while it is loaded anew, since its fresh time is over\.$/)
  t.same(await states(), ['stale', 'stale'])
  only.cache.doubt([tagOf('a')])
  t.match(await verdict(), /once the journal has been read again/)
  await clock.advance(5_000)
  t.match(await verdict(), /no tier holds this|outlived its time/)

  await rows.read(only, 'a', policy)
  database.change([tagOf('a')], { a: 'y' })
  await clock.advance(BOUND_MS)
  t.match(await verdict(), /no tier holds this|does not show a change/)
})

t.test('of a replica that can not follow the journal it says so, whatever the tiers hold', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(only, 'a')
  const { key, ...options } = entry('a')
  only.journal.failure = new Error('it is gone')
  await clock.advance(BOUND_MS + 200)
  const { verdict, memory } = await only.cache.inspect(key, options)
  t.match(verdict, /^The database answers every read: this replica can't follow the journal \(it is gone\)/)
  t.match(memory.verdict, /^bypassed: the journal is not followed/)
})

t.test('of a database that does not answer it says who does instead, and for how long', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, options: { staleIfErrorMs: 10_000 } })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(only, 'a')
  const verdict = async (name: string, mayServeOnError = true): Promise<string> => {
    const { key, ...options } = entry(name, { mayServeOnError })
    return (await only.cache.inspect(key, options)).verdict
  }
  only.journal.failure = new Error('gone')
  await clock.advance(BOUND_MS)
  t.match(
    await verdict('a'),
    /^The database answers .* Where it does not answer, memory does, marked, for 10\.0 s more\.$/,
  )
  t.match(await verdict('b'), / Where it does not answer, the answer is 503\.$/)

  rows.hold()
  const reads = [rows.read(only, 'a'), t.rejects(rows.read(only, 'b'))]
  await clock.advance(BOUND_MS)
  await Promise.all(reads)
  t.match(await verdict('a'), /^Memory answers, marked, for 9\.0 s more: the database does not answer.*\(gone\)\.$/)
  t.match(await verdict('a', false), /^The answer is 503/)
  t.match(await verdict('b'), /^The answer is 503: the database does not answer.*memory holds nothing/)
  await clock.advance(9_000)
  t.match(await verdict('a'), /^The answer is 503/)

  rows.release()
  await clock.advance(BOUND_MS)
  await rows.read(only, 'b')
  t.match(await verdict('a'), /^The database answers every read/)
  rows.failure = new Error('refused')
  await t.rejects(rows.read(only, 'b'))
  t.match(await verdict('b'), /^The answer is 503/, 'one that refuses at once is as silent')
})
