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

t.test(
  'a replica whose database is silent refuses at once, and one load in H finds out whether it answers again',
  async (t) => {
    const { database, members, clock } = await startWorld(t, { replicas: 1 })
    const only = members[0]!
    const rows = new Rows(database)
    database.rows.set('a', 'old')
    await rows.read(only, 'a')
    const answer = (name: string): Promise<string> => rows.read(only, name).catch((error: Error) => error.name)
    // Frozen: tails neither fail nor end.
    only.journal.hold()
    rows.hold()
    await clock.advance(600)
    const early = answer('never read')
    await clock.advance(BOUND_MS - 200)
    t.equal(only.cache.state, 'isolated')
    t.equal(await early, 'JournalUnavailableError', 'it waits until the replica is isolated, and no longer')

    const before = rows.count
    const trial = answer('b')
    const refused = ['c', 'd', 'a'].map(answer)
    t.same(await Promise.all(refused), [
      'JournalUnavailableError',
      'JournalUnavailableError',
      'old: stale-if-error in memory',
    ])
    t.equal(rows.count - before, 1, 'one load was begun')
    await clock.advance(0)
    t.equal(await trial, 'JournalUnavailableError', 'whoever asks for it waits no longer than the others')
    await clock.advance(BOUND_MS)
    void answer('c')
    void answer('d')
    await drain()
    t.equal(rows.count - before, 2)
    const waiting = only.cache.waitFor({ transaction: 1_000, isOfThisHistory: true })
    await t.rejects(waiting, { name: 'JournalUnavailableError' }, 'nor is a tail waited for that will not end')

    rows.release()
    await drain()
    t.equal(await answer('d'), 'nothing: miss', 'the load has ended: the database answers')
    only.journal.release()
    await clock.advance(BOUND_MS)
    t.equal(only.cache.state, 'coherent')
  },
)

t.test(
  'while the journal is followed a load may take as long as it wants; once it is not, it is given up',
  async (t) => {
    const { database, members, clock } = await startWorld(t, { replicas: 1 })
    const only = members[0]!
    const rows = new Rows(database)
    rows.hold()
    let answer = 'none yet'
    void rows.read(only, 'a').catch((error: Error) => (answer = error.name))
    await clock.advance(5 * BOUND_MS)
    t.equal(answer, 'none yet')
    only.journal.hold()
    await clock.advance(BOUND_MS + 100)
    t.equal(answer, 'JournalUnavailableError')
    only.journal.release()
  },
)

t.test('a database that answers tails, if only that the journal can not be relied on, is waited for', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  only.journal.fault = 'a trigger is missing'
  await clock.advance(BOUND_MS + 400)
  rows.hold()
  const slow = rows.read(only, 'a')
  await clock.advance(BOUND_MS - 100)
  rows.release()
  t.equal(await slow, 'old: miss')
  rows.hold()
  const slower = rows.read(only, 'a')
  await clock.advance(BOUND_MS + 10)
  t.equal(await slower, 'old: stale-if-error in memory', 'for H at most')
  rows.release()
})

t.test('credentials are answered on error while nothing puts them in doubt', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, options: { staleIfErrorMs: 10_000 } })
  const only = members[0]!
  const rows = new Rows(database)
  const policy = { mayServeOnError: 'undoubted' } as const
  for (const name of ['a', 'b', 'c']) database.rows.set(name, 'good')
  for (const name of ['a', 'b', 'c']) await rows.read(only, name, policy)
  database.change([tagOf('c')], { c: 'revoked' })
  await clock.advance(BOUND_MS / 3)
  only.journal.failure = new Error('gone')
  rows.failure = new Error('no database')
  await clock.advance(BOUND_MS + 200)
  t.ok(only.cache.isolatedMs >= 0)
  t.equal(await rows.read(only, 'a', policy), 'good: stale-if-error in memory')
  await t.rejects(rows.read(only, 'c', policy), /no database/, 'heard of before')
  only.journal.hear(JSON.stringify(['another replica', tagOf('b')]))
  await t.rejects(rows.read(only, 'b', policy), /no database/, 'announced meanwhile')
  t.equal(await rows.read(only, 'a', policy), 'good: stale-if-error in memory')
  only.cache.doubt([tagOf('a')])
  await t.rejects(rows.read(only, 'a', policy), /no database/, 'in doubt here')
  t.equal(await rows.read(only, 'a'), 'good: stale-if-error in memory', 'a document is answered, marked')
})

t.test('who has given up is out: nobody else waits longer for it, and it tells nothing of the database', async (t) => {
  const { members, clock } = await startWorld(t, { replicas: 1 })
  const { cache, journal } = members[0]!
  journal.fault = 'a trigger is missing'
  await clock.advance(BOUND_MS + 400)
  const ends = new Map<string, () => void>()
  const answers = new Map<string, string>()
  const read = (key: string): void => {
    const load = (): Promise<string> => new Promise((resolve) => ends.set(key, () => resolve('loaded')))
    cache.getOrLoad(key, { tags: [key] }, load).then(
      ({ value }) => answers.set(key, String(value)),
      (error: Error) => answers.set(key, error.name),
    )
  }
  read('first')
  await clock.advance(BOUND_MS / 2)
  read('second')
  await clock.advance(BOUND_MS / 2 + 10)
  t.same([...answers], [['first', 'JournalUnavailableError']])
  read('trial')
  await clock.advance(0)
  t.equal(answers.get('trial'), 'JournalUnavailableError', 'the database is silent')
  for (const key of ['first', 'trial']) ends.get(key)?.()
  await drain()
  await clock.advance(BOUND_MS / 2)
  t.equal(answers.get('second'), 'JournalUnavailableError', 'although the loads of others have ended meanwhile')
  ends.get('second')?.()
  await drain()

  read('third')
  await clock.advance(BOUND_MS / 2)
  read('fourth')
  await clock.advance(BOUND_MS / 2 + 10)
  t.equal(answers.get('third'), 'JournalUnavailableError')
  ends.get('fourth')?.()
  await drain()
  t.equal(answers.get('fourth'), 'loaded', 'the database answers')
  await clock.advance(BOUND_MS / 2)
  read('fifth')
  await clock.advance(BOUND_MS / 2)
  t.equal(answers.get('fifth'), undefined, 'so the next is waited for, whatever became of the third')
  ends.get('fifth')?.()
  await drain()
  t.equal(answers.get('fifth'), 'loaded')
})
