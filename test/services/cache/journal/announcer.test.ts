import t from 'tap'
import { Announcer } from '../../../../services/cache/journal/announcer.js'
import { drain, FakeClock } from '../../../helpers/cache/fake-clock.js'
import { ModelDatabase, ModelJournal } from '../../../helpers/cache/model-database.js'
import { startWorld } from '../../../helpers/cache/replicas.js'

async function setUp(t: { teardown(work: () => unknown): void }, replicas = 2) {
  const clock = new FakeClock()
  const database = new ModelDatabase()
  const open = (sender: string) => {
    const journal = new ModelJournal(database)
    const [hints, errors]: [string[][], string[]] = [[], []]
    const announcer = new Announcer({
      listen: journal.listen,
      clock,
      boundMs: 1_000,
      replicas: () => replicas,
      sender,
      onHint: (tags) => hints.push([...tags]),
      onError: (error) => errors.push(String(error)),
    })
    void announcer.run()
    t.teardown(() => Promise.all([announcer.stop(), clock.advance(5_000)]))
    return { journal, announcer, hints, errors }
  }
  const [one, two] = [open('one'), open('two')]
  await drain()
  return { clock, one, two }
}

t.test('connecting puts everything in doubt', async (t) => {
  const { one } = await setUp(t)
  t.same(one.hints, [['*']])
  one.journal.cut()
  await drain()
  t.equal(one.announcer.state, 'unavailable')
})

t.test('tags reach the others and not their sender; those of some milliseconds leave together', async (t) => {
  const { clock, one, two } = await setUp(t)
  one.announcer.announce(['a'])
  await drain()
  one.announcer.announce(['b', 'c'])
  one.announcer.announce(['c', 'd'])
  await clock.advance(5)
  t.same(two.hints, [['*'], ['a'], ['b', 'c', 'd']])
  t.same(one.hints, [['*']])
  t.equal(one.announcer.state, 'healthy')
})

t.test('many replicas wake no more listeners a second than few, and a rare write is told at once', async (t) => {
  for (const [replicas, most] of [
    [3, 368],
    [10, 34],
    [25, 7],
  ] as const) {
    const { clock, one, two } = await setUp(t, replicas)
    one.announcer.announce(['rare'])
    await drain()
    t.same(two.hints.slice(1), [['rare']], `${replicas}: at once`)
    await clock.advance(1_000)
    const tags = Array.from({ length: 1_000 }, (_, n) => `tag ${n}`)
    for (const tag of tags) {
      one.announcer.announce([tag])
      await clock.advance(1)
    }
    await clock.advance(1_000)
    const heard = two.hints.slice(2)
    t.ok(heard.length <= most && heard.length > most / 2, `${replicas}: ${heard.length} announcements`)
    t.same(heard.flat(), tags, 'of everything')
  }
})

t.test(
  'where so many replicas listen that a tail is there sooner, nothing is announced that would come too late',
  async (t) => {
    const { clock, one, two } = await setUp(t, 100)
    one.announcer.announce(['rare'])
    await clock.advance(500)
    one.announcer.announce(['too late'])
    await clock.advance(2_000)
    one.announcer.announce(['soon'])
    await drain()
    t.same(two.hints.slice(1), [['rare']])
    await clock.advance(1_000)
    t.same(two.hints.slice(1), [['rare'], ['soon']])
  },
)

t.test('an announcement of several payloads counts as so many', async (t) => {
  const { clock, one, two } = await setUp(t, 10)
  one.announcer.announce(Array.from({ length: 500 }, (_, n) => `some-owner/some-things/${n}`))
  await drain()
  const payloads = two.hints.length - 1
  t.ok(payloads > 1, `${payloads} payloads`)
  one.announcer.announce(['after'])
  await clock.advance(30 * payloads)
  t.equal(two.hints.length - 1, payloads, 'they woke as many')
  await clock.advance(payloads)
  t.same(two.hints.at(-1), ['after'])
})

t.test('the cache is told how many replicas listen, and its bound is what is too late', async (t) => {
  const { clock, members } = await startWorld(t, { hasRedis: false })
  const { cache, journal } = members[0]!
  const announced = async () => {
    const before = journal.announced.length
    for (const tag of ['a', 'b']) {
      await cache.write([tag], async () => {})
      await clock.advance(20)
    }
    await clock.advance(5_000)
    return journal.announced.length - before
  }
  t.equal(await announced(), 2)
  cache.sharesJournal(50)
  t.equal(await announced(), 2, 'the second one after three quarters of a second')
  cache.sharesJournal(60)
  t.equal(await announced(), 1, 'after more than the bound it is not')
})

t.test('what is too long for one payload is split, and a tag too long for any is everything', async (t) => {
  const { clock, one, two } = await setUp(t)
  const tags = Array.from({ length: 1_000 }, (_, n) => `some-owner/some-things/${n}-ü"\\`)
  one.announcer.announce(tags)
  await clock.advance(5)
  const heard = two.hints.slice(1)
  t.ok(heard.length > 4)
  t.same(heard.flat(), tags)
  for (const part of heard) t.ok(Buffer.byteLength(JSON.stringify(['one', ...part])) < 8_000)
  one.announcer.announce(['x'.repeat(9_000)])
  await clock.advance(5)
  t.same(two.hints.at(-1), ['*'])
  const wide = Array.from({ length: 100 }, (_, n) => `${n} ${'ü'.repeat(60)}`)
  one.announcer.announce(wide)
  await clock.advance(5)
  for (const payload of one.journal.announced) t.ok(Buffer.byteLength(payload) < 8_000, 'counted in bytes')
})

t.test('what is no announcement of ours puts everything in doubt', async (t) => {
  const { one } = await setUp(t)
  for (const payload of ['nonsense', '{}', 'null', '["x",1]', '"x"']) one.journal.hear(payload)
  t.same(one.hints.slice(1), [['*'], ['*'], ['*'], ['*'], ['*']])
})

t.test('a connection that does not hear its own is deaf, and says so', async (t) => {
  const { clock, one } = await setUp(t)
  one.journal.isDeaf = true
  one.announcer.announce(['a'])
  await clock.advance(4_000)
  t.equal(one.announcer.state, 'healthy', 'it may still come')
  await clock.advance(2_000)
  t.equal(one.announcer.state, 'deaf')
  one.journal.isDeaf = false
  one.announcer.announce(['b'])
  await clock.advance(5)
  t.equal(one.announcer.state, 'healthy')
})

t.test('the first attempt is a start and no fault; from then on what is not there is missing', async (t) => {
  const clock = new FakeClock()
  const journal = new ModelJournal(new ModelDatabase())
  let refuse = (): void => {}
  const refused = new Promise<never>((_, reject) => (refuse = () => reject(new Error('refused'))))
  const attempts = [() => refused, journal.listen]
  const announcer = new Announcer({
    listen: (hear) => attempts.shift()!(hear),
    clock,
    boundMs: 1_000,
    replicas: () => 1,
    sender: 'one',
    onHint: () => {},
    onError: () => {},
  })
  void announcer.run()
  t.teardown(() => Promise.all([announcer.stop(), clock.advance(5_000)]))
  t.equal(announcer.state, 'connecting')
  refuse()
  await drain()
  t.equal(announcer.state, 'unavailable')
  await clock.advance(60)
  t.equal(announcer.state, 'healthy')
  journal.cut()
  await drain()
  t.equal(announcer.state, 'unavailable')
})

t.test('another journal means another connection', async (t) => {
  const { clock, one } = await setUp(t)
  one.announcer.reconnect()
  await clock.advance(60)
  t.same(one.hints, [['*'], ['*']])
})
