import t from 'tap'
import { drain } from '../../helpers/cache/fake-clock.js'
import { entry, Rows, startWorld, tagOf, words } from '../../helpers/cache/replicas.js'

const LEASE_MS = 500
const options = { leaseMs: LEASE_MS }

t.test('who waits for another replica’s load takes what it left', async (t) => {
  const { database, members, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  rows.hold()
  const reads = [rows.read(one, 'a'), rows.read(two, 'a')]
  await clock.advance(50)
  t.equal(rows.count, 1)
  rows.release()
  await clock.advance(200)
  t.same(await Promise.all(reads), ['x: miss', 'x: hit in redis'])
  t.equal(rows.count, 1)
})

t.test('nobody waits longer than a lease, also when one is given anew again and again', async (t) => {
  const { database, members, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  rows.hold()
  const first = rows.read(one, 'a')
  await drain()
  const second = rows.read(two, 'a')
  // Whoever holds it, it does not come to an end.
  for (let ms = 0; ms < LEASE_MS + 200; ms += 50) {
    for (const name of [...one.redis.server.keys.keys()].filter((key) => key.includes(':l:')))
      await one.redis.set(name, '', 'PX', LEASE_MS)
    await clock.advance(50)
  }
  t.equal(rows.count, 2)
  rows.release()
  await Promise.all([first, second])
})

t.test('a load that fails gives its lease back: the next one does not wait', async (t) => {
  const { database, members } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  rows.failure = new Error('no database')
  await t.rejects(rows.read(one, 'a'), /no database/)
  rows.failure = undefined
  await drain()
  t.equal(await rows.read(two, 'a'), 'nothing: miss')
})

t.test('a load that was kept leaves its lease: who was late finds the entry', async (t) => {
  const { database, members, keys, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  // It has looked at Redis in vain, and asks for the lease only after the other one's load has ended.
  two.redis.hold()
  const late = rows.read(two, 'a')
  await drain()
  await rows.read(one, 'a')
  two.redis.release()
  await drain()
  t.ok([...keys.keys.keys()].some((key) => key.includes(':l:')))
  t.equal(rows.count, 1, 'the lease is taken')
  await clock.advance(10)
  t.equal(await late, 'x: hit in redis')
  t.equal(rows.count, 1)
})

t.test('a load whose entry could not be stored leaves no lease: nobody waits for what does not come', async (t) => {
  const { database, members, keys, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  const { set } = one.redis
  one.redis.set = (name: string, ...rest: [string, 'PX', number]) =>
    name.includes(':e:') ? Promise.reject(new Error('Command timed out')) : set.call(one.redis, name, ...rest)
  t.equal(await rows.read(one, 'a'), 'nothing: miss')
  await clock.advance(1)
  t.equal(await rows.read(two, 'a'), 'nothing: miss', 'no clock moves')
  keys.keys.clear()
})

t.test('nor does one during which Redis was lost', async (t) => {
  const { database, members, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  rows.hold()
  const reading = rows.read(one, 'a')
  await drain()
  // A read of something else finds Redis silent, and the load ends meanwhile.
  one.redis.loseReplies(/^(MGET|PING)/)
  const other = rows.read(one, 'b')
  await drain()
  rows.release()
  await Promise.all([reading, other])
  one.redis.loseReplies(undefined)
  await clock.advance(100)
  t.equal(await rows.read(two, 'a'), 'nothing: miss', 'no clock moves')
})

t.test('a lease is no longer than its entry is fresh: a refresh does not find that of the load before', async (t) => {
  const { database, members, clock } = await startWorld(t, { options, replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  const policy = { ttl: 100, grace: 10_000 }
  await rows.read(only, 'a', policy)
  await clock.advance(150)
  t.equal(await rows.read(only, 'a', policy), 'x: stale in memory')
  await drain()
  t.equal(rows.count, 2)
})

t.test('a lease whose answer is lost is given back, and nobody waits for it', async (t) => {
  const { database, members, clock, keys } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  one.redis.loseReplies(/^SET .*:l:/)
  t.equal(await rows.read(one, 'a', { negativeTtl: 1 }), 'nothing: miss')
  one.redis.loseReplies(undefined)
  await clock.advance(5)
  t.same(
    [...keys.keys.keys()].filter((key) => key.includes(':l:')),
    [],
  )
  t.equal(await rows.read(two, 'a'), 'nothing: miss')
})

t.test('who can not judge the entry that is there does not wait for a load by who can', async (t) => {
  const { database, members, join } = await startWorld(t, { options, replicas: 1 })
  const old = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(old, 'a')
  database.change([tagOf('other')])
  const starting = await join()
  t.equal(await rows.read(starting, 'a'), 'x: miss', 'at once, although the lease of the first load is still there')
})

t.test('who knows that something the entry refers to has changed does not wait for the load before', async (t) => {
  const { database, members, keys, clock } = await startWorld(t, { options })
  const [one, two] = [members[0]!, members[1]!]
  const { key, ...plain } = entry('a')
  const referring = { ...plain, tagsOf: () => ['u/things/referred'] }
  await one.cache.getOrLoad(key, referring, async () => 'old')
  // As of a load that is under way again.
  for (const name of keys.keys.keys()) if (name.includes(':l:')) await one.redis.set(name, '', 'PX', 60_000)
  one.journal.isDeaf = true
  database.change(['u/things/referred'])
  await clock.advance(340)
  const lookup = await two.cache.getOrLoad(key, referring, async () => 'new')
  t.equal(words(lookup), 'new: miss')
})

t.test('a load that takes its time keeps its lease, and leaves it for a moment only', async (t) => {
  const { database, members, keys, clock } = await startWorld(t, { options: { leaseMs: 4_000 } })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  const leases = (): string[] =>
    [...keys.keys].filter(([key, { expiresAt }]) => key.includes(':l:') && expiresAt > clock.now()).map(([key]) => key)
  database.rows.set('a', 'x')
  rows.hold()
  const reads = [rows.read(one, 'a'), rows.read(two, 'a')]
  for (let ms = 0; ms < 3_000; ms += 50) await clock.advance(50)
  t.equal(rows.count, 1, 'the other one still waits')
  rows.release()
  await clock.advance(200)
  t.same(await Promise.all(reads), ['x: miss', 'x: hit in redis'])
  await clock.advance(1_000)
  t.same(leases(), [], 'it is over')
  // What lies there was overwritten by something older, which another replica had been about to store.
  const entryName = [...keys.keys.keys()].find((key) => key.includes(':e:'))!
  const old = keys.keys.get(entryName)!
  database.change([tagOf('a')], { a: 'y' })
  await clock.advance(340)
  t.equal(await rows.read(one, 'a'), 'y: miss')
  await drain()
  keys.keys.set(entryName, old)
  const late = rows.read(two, 'a')
  for (let ms = 0; ms < 1_200; ms += 50) await clock.advance(50)
  t.equal(await late, 'y: miss', 'nobody waits for a load that is over')
})

t.test('a load whose answer has no lifetime leaves no lease: nobody waits for what is not kept', async (t) => {
  const { members } = await startWorld(t, { options })
  const rows = new Rows((await startWorld(t, { replicas: 0 })).database)
  for (const member of members) {
    t.equal(await rows.read(member, 'a', { negativeTtl: 0 }), 'nothing: miss')
    await drain()
  }
  t.equal(rows.count, 2)
})
