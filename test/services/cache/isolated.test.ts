import t from 'tap'
import { drain } from '../../helpers/cache/fake-clock.js'
import { BOUND_MS, Rows, startWorld, tagOf, write } from '../../helpers/cache/replicas.js'

t.test('without the journal neither memory nor Redis answers while the database does', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  await clock.advance(BOUND_MS + 200)
  t.same(only.states, ['coherent', 'isolated'])
  database.change([tagOf('a')], { a: 'new' })
  only.redis.commands.length = 0
  t.equal(await rows.read(only, 'a'), 'new: miss')
  t.same(
    only.redis.commands.filter((command) => command.startsWith('MGET')),
    [],
  )
  only.journal.failure = undefined
  await clock.advance(2_000)
  t.equal(only.cache.state, 'coherent')
  t.match(await rows.read(only, 'a'), /^new/)
})

t.test('with the database gone too memory answers, marked, for a limited time', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, options: { staleIfErrorMs: 10_000 } })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  await rows.read(only, 'token', { mayServeOnError: false })
  only.journal.failure = new Error('gone')
  rows.failure = new Error('no database')
  await clock.advance(BOUND_MS + 200)
  t.equal(await rows.read(only, 'a'), 'old: stale-if-error in memory')
  await t.rejects(rows.read(only, 'token', { mayServeOnError: false }), /no database/, 'never for credentials')
  await t.rejects(rows.read(only, 'never read'), /no database/)
  await clock.advance(10_000)
  await t.rejects(rows.read(only, 'a'), /no database/)
})

t.test('a database that hangs is waited for at most H before memory answers, marked', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  await clock.advance(BOUND_MS + 200)
  rows.hold()
  const [first, second] = [rows.read(only, 'a'), rows.read(only, 'a')]
  await clock.advance(BOUND_MS + 10)
  t.equal(await first, 'old: stale-if-error in memory')
  t.equal(await second, 'old: stale-if-error in memory', 'who joined as well')
  rows.release()
  await drain()
})

t.test('a doubt that no tail can settle is settled by the database', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  await only.cache.write([tagOf('a')], async () => database.change([tagOf('a')], { a: 'new' }))
  const reading = rows.read(only, 'a')
  await clock.advance(BOUND_MS)
  t.equal(await reading, 'new: miss')
})

t.test('a journal that can not be relied on is no journal, and the reason is told', async (t) => {
  const { members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  only.journal.fault = 'a trigger is missing'
  await clock.advance(BOUND_MS + 400)
  t.equal(only.cache.state, 'isolated')
  t.equal(only.cache.health().journal, 'unavailable')
  only.journal.fault = undefined
  await clock.advance(400)
  t.equal(only.cache.state, 'coherent')
})

t.test('a tail that failed settles no doubt, also if nobody waited for it', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  await write(only, database, 'a', 'new')
  await clock.advance(BOUND_MS / 3)
  t.equal(only.cache.state, 'coherent', 'the barrier is young enough')
  t.equal(await rows.read(only, 'a'), 'new: miss')
})

t.test('in a doubt that no tail can settle nobody joins a load from before it', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.holdEach()
  const early = rows.read(only, 'a')
  await drain()
  only.journal.failure = new Error('gone')
  await write(only, database, 'a', 'new')
  const late = rows.read(only, 'a')
  await drain()
  for (const load of rows.loads) load.resolve()
  t.same(await Promise.all([early, late]), ['old: miss', 'new: miss'])
})

t.test('nothing is answered on error before the replica is isolated', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  rows.failure = new Error('no database')
  await write(only, database, 'a', 'new')
  await t.rejects(rows.read(only, 'a'), /no database/)
})

t.test('a machine that was suspended for longer than answers on error may last gives none', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, options: { staleIfErrorMs: 10_000 } })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.failure = new Error('gone')
  rows.failure = new Error('no database')
  clock.stepWall(BOUND_MS + 5_000)
  t.equal(await rows.read(only, 'a'), 'old: stale-if-error in memory')
  clock.stepWall(3_600_000)
  await t.rejects(rows.read(only, 'a'), /no database/)
})
