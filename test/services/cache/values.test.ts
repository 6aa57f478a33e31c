import t from 'tap'
import { type Codec, jsonCodec } from '../../../services/cache/index.js'
import { drain } from '../../helpers/cache/fake-clock.js'
import { startWorld } from '../../helpers/cache/replicas.js'

const options = { tags: ['a'] }

/** What a second reader gets of a value that a first one has loaded: from memory, and on another replica. */
async function readAgain(t: Test, value: unknown, codec: Partial<Codec> = {}) {
  const { members } = await startWorld(t, { options: { codec: { ...jsonCodec, ...codec } } })
  const [one, two] = [members[0]!, members[1]!]
  const read = ({ cache }: typeof one, loaded: unknown) => cache.getOrLoad('key', options, async () => loaded)
  t.ok(Object.is((await read(one, value)).value, value), 'the loader’s answer is answered')
  await drain()
  return { memory: await read(one, 'loaded'), redis: await read(two, 'loaded'), one, two }
}
type Test = Parameters<typeof startWorld>[0]

t.test('plain data is the same in each tier', async (t) => {
  const values = [
    null,
    0,
    '',
    false,
    [],
    {},
    [null, [1]],
    { a: { b: 'ü\ud800\u2028' } },
    Object.assign(Object.create(null), { a: 1 }),
  ]
  for (const value of values) {
    const { memory, redis } = await readAgain(t, value)
    t.match(memory, { tier: 'memory', outcome: 'hit' })
    t.match(redis, { tier: 'redis', outcome: 'hit' })
    t.same(redis.value, memory.value)
  }
})

t.test('what JSON gives back as something else is answered and not kept, and the operator is told of it', async (t) => {
  class Order {
    readonly id = 1
  }
  const values = [
    new Date(0),
    new Map([[1, 2]]),
    Buffer.from('x'),
    new Order(),
    NaN,
    Infinity,
    Symbol('s'),
    () => 1,
    [undefined],
  ]
  for (const value of [...values, ...values.map((inner) => ({ deep: [{ inner }] }))]) {
    const { memory, redis, one } = await readAgain(t, value)
    t.same([memory.value, redis.value], ['loaded', 'loaded'])
    t.match(
      one.events.at(-1),
      /^keeping a value: JSON gives .+ back as something else: cache plain data, or with a codec/,
    )
    t.equal(one.cache.stats().invalidEntries, 0)
  }
})

t.test('what is below something frozen is frozen as well', async (t) => {
  const { memory } = await readAgain(t, Object.freeze({ list: [1] }))
  t.throws(() => (memory.value as { list: number[] }).list.push(2), TypeError)
})

t.test('a codec that throws at what Redis holds makes a miss', async (t) => {
  const decode = (): unknown => {
    throw new Error('made by another release')
  }
  const { redis, two } = await readAgain(t, 'value', { decode })
  t.match(redis, { value: 'loaded', outcome: 'miss', stored: true })
  t.match((await two.cache.inspect('other', options)).verdict, /no tier holds this/)
  await two.cache.invalidate([])
})

t.test('a weight that is none takes no memory, and leaves the bound as it is', async (t) => {
  for (const weight of [NaN, -1]) {
    const { memory, one } = await readAgain(t, 'value', { weigh: () => weight })
    t.match(one.cache.stats(), { memoryItems: 0, memoryBytes: 0 })
    t.equal(memory.value, 'loaded')
    t.match(one.events.at(-1), new RegExp(`weigh answered ${weight}`))
  }
  let weight = 1
  const weigh = () => {
    if (weight < 0) throw new Error('no weight')
    return weight
  }
  const { members, join } = await startWorld(t, { replicas: 1, options: { codec: { ...jsonCodec, weigh } } })
  await members[0]!.cache.getOrLoad('key', options, async () => 'value')
  await drain()
  weight = -1
  const late = await join()
  t.match(await late.cache.getOrLoad('key', options, async () => 'loaded'), { value: 'loaded', outcome: 'miss' })
})

t.test('tags from the result may hold any character', async (t) => {
  const { members } = await startWorld(t)
  const tagsOf = () => ['a\u2028b', 'c\nd', 'e\u0000f', '\ud800']
  const read = (n: number) => members[n]!.cache.getOrLoad('key', { ...options, tagsOf }, async () => n)
  await read(0)
  await drain()
  t.match(await read(1), { value: 0, tier: 'redis' })
})

t.test('two keys are two entries, also where UTF-8 has no character for either', async (t) => {
  const { members } = await startWorld(t)
  const keys = ['a\ud800', 'a\ud801', 'a\udfff', 'a\ufffd', '"a\\ud800"']
  const readAll = (n: number) =>
    Promise.all(keys.map((key) => members[n]!.cache.getOrLoad(key, options, async () => `${n}${key}`)))
  await readAll(0)
  await drain()
  const lookups = await readAll(1)
  t.same(
    lookups.map(({ value, tier }) => [value, tier]),
    keys.map((key) => [`0${key}`, 'redis']),
  )
})

t.test('a loader of many answers for each position, or nobody gets what is another’s', async (t) => {
  interface Order {
    readonly id: string
  }
  const { cache } = (await startWorld(t, { replicas: 1 })).members[0]!
  const tagsOf = (order: Order | undefined) => (order === undefined ? [] : [`orders/${order.id}`])
  const many = ['a', 'b', 'c'].map((key) => ({ key, options: { ...options, tagsOf } }))
  for (const ids of [['c'], ['a', 'b', 'c', 'd']]) {
    const loading = cache.getMany(many, async () => ids.map((id): Order => ({ id })))
    await t.rejects(loading, { message: `The loader of getMany answered ${ids.length} values for 3 positions` })
  }
  const lookups = await cache.getMany(many, async (missing) => missing.map((at): Order => ({ id: `${at}` })))
  t.same(
    lookups.map(({ value }) => value?.id),
    ['0', '1', '2'],
  )
  t.match(await cache.inspect('a', many[0]!.options), { memory: { tags: [{ tag: 'a' }, { tag: 'orders/0' }] } })
})
