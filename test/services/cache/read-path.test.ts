import t from 'tap'
import type { EntryOptions } from '../../../services/cache/index.js'
import { drain } from '../../helpers/cache/fake-clock.js'
import { entry, type Member, Rows, startWorld, tagOf, words, write } from '../../helpers/cache/replicas.js'

/** Reads several by `getMany`, and counts how often its loader is called. */
async function readMany({ cache }: Member, rows: Rows, names: readonly string[], counts = { calls: 0 }) {
  const many = names
    .map((name) => entry(name))
    .map(({ key, ...options }) => ({ key, options: options as EntryOptions }))
  const lookups = await cache.getMany(many, (missing) => {
    counts.calls += 1
    return Promise.all(missing.map((at) => rows.loader(names[at] ?? '')()))
  })
  return lookups.map(words)
}

t.test('memory, then Redis, then the loader; what is found below is kept above', async (t) => {
  const { database, members } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  t.equal(await rows.read(one, 'a'), 'x: miss')
  t.equal(await rows.read(one, 'a'), 'x: hit in memory')
  t.equal(await rows.read(two, 'a'), 'x: hit in redis')
  t.equal(await rows.read(two, 'a'), 'x: hit in memory')
  t.equal(rows.count, 1)
  t.match(one.cache.stats(), { misses: 1, memoryHits: 1, loads: 1, memoryItems: 1 })
  t.match(two.cache.stats(), { redisHits: 1, memoryHits: 1, loads: 0 })
})

t.test('two getMany and one getOrLoad of one cold key make one load', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  for (const name of ['a', 'b', 'c']) database.rows.set(name, name)
  rows.hold()
  const counts = { calls: 0 }
  const reads = [
    readMany(only, rows, ['a', 'b'], counts),
    readMany(only, rows, ['a', 'c'], counts),
    rows.read(only, 'a').then((word) => [word]),
  ]
  await drain()
  rows.release()
  const answers = await Promise.all(reads)
  t.same(answers.flat(), ['a: miss', 'b: miss', 'a: miss', 'c: miss', 'a: miss'])
  t.equal(rows.count, 3)
  t.equal(counts.calls, 2, 'each getMany has one call for what it is the first to ask for')
})

t.test('getMany makes one MGET and one load for all that is missing, and answers in order', async (t) => {
  const { database, members } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  for (const name of ['a', 'b', 'c', 'd']) database.rows.set(name, name)
  await rows.read(one, 'b')
  await rows.read(two, 'd')
  one.redis.commands.length = 0
  two.redis.commands.length = 0
  const counts = { calls: 0 }
  t.same(await readMany(two, rows, ['a', 'b', 'c', 'd', 'gone'], counts), [
    'a: miss',
    'b: hit in redis',
    'c: miss',
    'd: hit in memory',
    'nothing: miss',
  ])
  t.equal(counts.calls, 1)
  t.equal(two.redis.commands.filter((command) => command.startsWith('MGET')).length, 1)
  t.same(await readMany(two, rows, []), [])
})

t.test('in memory alone, getMany does not load what memory has', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1, hasRedis: false })
  const rows = new Rows(database)
  await readMany(members[0]!, rows, ['a', 'b'])
  await readMany(members[0]!, rows, ['a', 'b', 'c'])
  t.equal(rows.count, 3)
})

t.test('what is stale by time is answered and refreshed once, in the whole cluster', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 3 })
  const rows = new Rows(database)
  const policy = { ttl: 1_000, grace: 60_000 }
  database.rows.set('a', 'x')
  for (const member of members) await rows.read(member, 'a', policy)
  await clock.advance(3_000)
  rows.hold()
  for (const member of members) t.equal(await rows.read(member, 'a', policy), 'x: stale in memory')
  for (const member of members) t.match((await readMany(member, rows, ['a'])).join(), 'x: stale in memory')
  await drain()
  rows.release()
  await drain()
  t.equal(rows.count, 2, 'one load at first, one refresh')
  t.match(members[0]!.cache.stats(), { staleHits: 2 })
  await clock.advance(3_000)
  await rows.read(members[1]!, 'a', policy)
  await drain()
  t.equal(rows.count, 3)
})

t.test('without Redis one refresh runs at a time', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  const policy = { ttl: 1_000, grace: 60_000 }
  database.rows.set('a', 'x')
  await rows.read(only, 'a', policy)
  await clock.advance(2_000)
  rows.hold()
  for (let n = 0; n < 5; n++) t.equal(await rows.read(only, 'a', policy), 'x: stale in memory')
  await drain()
  rows.release()
  t.equal(rows.count, 2)
})

t.test('a refresh takes what another replica has loaded meanwhile', async (t) => {
  const { database, members, clock } = await startWorld(t, { options: { leaseMs: 100 } })
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  const policy = { ttl: 1_000, grace: 60_000 }
  database.rows.set('a', 'x')
  for (const member of members) await rows.read(member, 'a', policy)
  await clock.advance(1_500)
  t.equal(await rows.read(one, 'a', policy), 'x: stale in memory')
  await clock.advance(200)
  t.equal(await rows.read(two, 'a', policy), 'x: stale in memory')
  await drain()
  t.equal(await rows.read(two, 'a', policy), 'x: hit in memory')
  t.equal(rows.count, 2)
})

t.test('a refresh that fails leaves the entry and tells so', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  const policy = { ttl: 1_000, grace: 60_000 }
  database.rows.set('a', 'x')
  await rows.read(only, 'a', policy)
  await clock.advance(2_000)
  rows.failure = new Error('no database')
  t.equal(await rows.read(only, 'a', policy), 'x: stale in memory')
  await drain()
  t.equal(await rows.read(only, 'a', policy), 'x: stale in memory')
  t.ok(only.events.includes('a refresh: no database'))
  rows.failure = undefined
  await drain()
  await rows.read(only, 'a', policy)
  await drain()
  t.equal(await rows.read(only, 'a', policy), 'x: hit in memory')
})

t.test('after its grace an entry is a miss', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  const policy = { ttl: 1_000, grace: 5_000 }
  await rows.read(members[0]!, 'a', policy)
  await clock.advance(6_100)
  t.equal(await rows.read(members[0]!, 'a', policy), 'x: miss')
})

t.test('a missing row is a negative entry, for its own time, until an insert raises it', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  t.equal(await rows.read(only, 'a', { negativeTtl: 5_000 }), 'nothing: miss')
  t.equal(await rows.read(only, 'a'), 'nothing: hit in memory')
  t.match(only.cache.stats(), { negativeHits: 1 })
  database.change([tagOf('a')], { a: 'x' })
  await clock.advance(334)
  t.equal(await rows.read(only, 'a'), 'x: miss')
  await rows.read(only, 'b', { negativeTtl: 5_000 })
  await clock.advance(5_100)
  t.equal(await rows.read(only, 'b'), 'nothing: miss')
})

t.test('entries that name no lifetime have the default one', async (t) => {
  const { database, members, clock } = await startWorld(t, {
    replicas: 1,
    options: { defaults: { ttl: 2_000, grace: 0, negativeTtl: 1_000 } },
  })
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(members[0]!, 'a')
  await clock.advance(1_900)
  t.equal(await rows.read(members[0]!, 'a'), 'x: hit in memory')
  await clock.advance(200)
  t.equal(await rows.read(members[0]!, 'a'), 'x: miss')
})

t.test('what a loader throws is thrown to all who share it, and nothing is kept', async (t) => {
  const { database, members, keys } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  rows.failure = new Error('no database')
  const reads = [rows.read(only, 'a'), rows.read(only, 'a')]
  for (const read of await Promise.allSettled(reads)) t.equal(read.status, 'rejected')
  t.equal(rows.count, 1)
  await drain()
  t.equal(keys.keys.size, 0, 'the lease is given back')
  rows.failure = undefined
  database.rows.set('a', 'x')
  t.equal(await rows.read(only, 'a'), 'x: miss')
})

t.test('a cold key is loaded by one replica while the others wait for it, one lease at most', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 3, options: { leaseMs: 500 } })
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  rows.hold()
  const reads = members.map((member) => rows.read(member, 'a'))
  await clock.advance(100)
  t.equal(rows.count, 1)
  rows.release()
  await clock.advance(200)
  t.same((await Promise.all(reads)).sort(), ['x: hit in redis', 'x: hit in redis', 'x: miss'])
  t.equal(rows.count, 1)

  rows.hold()
  const late = members.map((member) => rows.read(member, 'b'))
  await clock.advance(1_000)
  t.equal(rows.count, 4, 'the others load for themselves once the lease is over')
  rows.release()
  await clock.advance(100)
  await Promise.all(late)
})

t.test('nobody waits for a load that a write has overtaken', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const early = rows.read(one, 'a')
  await drain()
  await write(two, database, 'a', 'new')
  const late = rows.read(two, 'a')
  await drain()
  t.equal(rows.count, 2, 'its lease has another name')
  rows.release()
  await clock.advance(1)
  t.same(await Promise.all([early, late]), ['old: miss', 'new: miss'])
})

t.test('a lookup is a value: it says later what it said at first', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  await rows.read(members[0]!, 'a')
  const lookup = members[0]!.cache.peek('u/a')
  const before = { ...lookup }
  await clock.advance(400_000)
  t.same(lookup, before)
})

t.test('peek waits for nothing and counts hits only', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'x')
  t.equal(only.cache.peek('u/a'), undefined)
  await rows.read(only, 'a')
  t.match(only.cache.peek('u/a'), { value: 'x', outcome: 'hit', tier: 'memory' })
  await write(only, database, 'a', 'y')
  t.equal(only.cache.peek('u/a'), undefined, 'in doubt')
  t.match(only.cache.stats(), { memoryHits: 1, misses: 1 })
})

t.test('get answers from the tiers and never loads', async (t) => {
  const { database, members } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  const { key, ...options } = entry('a')
  database.rows.set('a', 'x')
  t.equal(await one.cache.get(key, options), undefined)
  await rows.read(two, 'a')
  t.match(await one.cache.get(key, options), { value: 'x', tier: 'redis' })
  t.match(await one.cache.get(key, options), { value: 'x', tier: 'memory' })
  await write(one, database, 'a', 'y')
  t.equal(await one.cache.get(key, options), undefined)
})

t.test('set keeps what was read since begin, unless something has changed meanwhile', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  const { key, ...options } = entry('a')
  t.equal(only.cache.set(key, options, 'mine', only.cache.begin()), true)
  t.equal(await rows.read(only, 'a'), 'mine: hit in memory')
  const begun = only.cache.begin()
  database.change([tagOf('a')], { a: 'new' })
  await clock.advance(334)
  t.equal(only.cache.set(key, options, 'old', begun), false)
  t.equal(await rows.read(only, 'a'), 'new: miss')
})

t.test('tags from what was loaded count like those before it, on every replica', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const { key, ...plain } = entry('a')
  const options = { ...plain, tagsOf: () => ['u/things/referred'] }
  const read = async (member: Member) => words(await member.cache.getOrLoad(key, options, async () => 'x'))
  t.equal(await read(one), 'x: miss')
  t.equal(await read(two), 'x: hit in redis')
  database.change(['u/things/referred'])
  await clock.advance(334)
  t.equal(await read(one), 'x: miss')
  t.equal(await read(two), 'x: hit in redis')
})

t.test('what may not be in Redis never is', async (t) => {
  const { database, members, keys } = await startWorld(t)
  const rows = new Rows(database)
  database.rows.set('a', 'secret')
  t.equal(await rows.read(members[0]!, 'a', { inRedis: false }), 'secret: miss')
  t.equal(await rows.read(members[1]!, 'a', { inRedis: false }), 'secret: miss')
  t.equal(keys.keys.size, 0)
  t.equal(members[0]!.redis.commands.filter((command) => command !== 'PING').length, 0)
})

t.test('a clear is one journal row, frees memory here at once, and elsewhere when it is heard of', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [one, two] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  for (const name of ['a', 'b', 'c']) for (const member of members) await rows.read(member, name)
  const clearing = one.cache.clear()
  await drain()
  t.equal(one.cache.stats().memoryItems, 0)
  await clearing
  await clock.advance(334)
  t.equal(two.cache.stats().memoryItems, 0)
  t.equal(await rows.read(two, 'a'), 'nothing: miss', 'nor is it read from Redis')
})

t.test('an invalidation of a tag frees what carries it here, and leaves the rest', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  for (const name of ['a', 'b', 'c']) await rows.read(only, name)
  await only.cache.invalidate([tagOf('b')])
  t.equal(only.cache.stats().memoryItems, 2)
  t.equal(await rows.read(only, 'a'), 'nothing: hit in memory')
  t.equal(await rows.read(only, 'b'), 'nothing: miss')
})

t.test('waitFor answers once the write is seen: at once if it is, else after one tail that all share', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.isDeaf = true
  const transaction = await write(writer, database, 'a', 'new')
  const { tails } = reader.journal
  await Promise.all([1, 2, 3].map(() => reader.cache.waitFor({ transaction, isOfThisHistory: true })))
  t.ok(reader.journal.tails <= tails + 2)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
  const after = reader.journal.tails
  await reader.cache.waitFor({ transaction, isOfThisHistory: true })
  t.equal(reader.journal.tails, after)
  reader.journal.failure = new Error('gone')
  const waiting = reader.cache.waitFor({ transaction: transaction + 10, isOfThisHistory: true })
  await Promise.all([t.rejects(waiting, { name: 'JournalUnavailableError' }), clock.advance(1_100)])
})

t.test('who has waited for a write does not join a load from before it, whatever the write raised', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1, hasRedis: false })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  rows.hold()
  const early = rows.read(only, 'a')
  await drain()
  const transaction = database.change([], { a: 'new' })
  await only.cache.waitFor({ transaction, isOfThisHistory: true })
  const late = rows.read(only, 'a')
  await drain()
  rows.release()
  t.same(await Promise.all([early, late]), ['old: miss', 'new: miss'])
})

t.test('a value that can not be kept is answered all the same, and counted', async (t) => {
  const { members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const { key, ...options } = entry('a')
  const lookup = await only.cache.getOrLoad(key, options, async () => ({ big: 1n }))
  t.match(lookup, { value: { big: 1n }, outcome: 'miss', stored: false })
  t.match(only.cache.stats(), { memoryErrors: 1, memoryItems: 0 })
  t.match(only.events.at(-1), /^keeping a value: /)
})

t.test('any text may be a key, also a name that every object has', async (t) => {
  const { cache } = (await startWorld(t, { replicas: 1 })).members[0]!
  const read = (value: string) => cache.getOrLoad('__proto__', { tags: ['a'] }, async () => value)
  const lookups = await Promise.all(['first', 'second'].map(read))
  t.match(lookups, [{ value: 'first' }, { value: 'first', collapsed: true }])
})
