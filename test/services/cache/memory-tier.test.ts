import t from 'tap'
import { RunClock } from '../../../services/cache/clock.js'
import { MemoryTier } from '../../../services/cache/memory-tier.js'
import type { MemoryEntry } from '../../../services/cache/memory-entry.js'
import { Stats } from '../../../services/cache/stats.js'
import { TagRegistry } from '../../../services/cache/tags.js'
import { FakeClock } from '../../helpers/cache/fake-clock.js'
import { text } from '../../helpers/cache/replica.js'
import { until } from '../../helpers/deadline.js'
import { freed } from '../../helpers/freed.js'
import { Seeded } from '../../helpers/seeded.js'

const NOW = 100
const counts = new Stats({ isTimed: false }).of('domain')

function open(options: { maxItems?: number; maxBytes?: number } = {}) {
  const tags = new TagRegistry<MemoryEntry>({ maxIdle: 1_000 })
  const deferred: (() => void)[] = []
  let capacity = 0
  const memory = new MemoryTier({
    maxItems: options.maxItems ?? 10,
    maxBytes: options.maxBytes ?? 10_000_000,
    tags,
    clock: new RunClock(new FakeClock()),
    defer: (work) => deferred.push(work),
    onCapacity: () => (capacity += 1),
  })
  const keep = (key: string, tag = `tag-${key}`, value = key, expiresAt = NOW + 100): boolean => {
    const state = tags.state(tag)
    const isKept = memory.keep({
      key,
      document: text(value),
      loadedAt: NOW,
      freshUntil: expiresAt - 10,
      expiresAt,
      clearVersion: tags.clearVersion,
      counts,
      states: [state],
      versions: [state.heard],
    })
    // As a flight does when it lands.
    tags.release(state)
    return isKept
  }
  const raise = (tag: string, version: number): void => {
    if (tags.hear({ tag, version })) memory.dropBehind({ tag, version })
  }
  return { memory, tags, deferred, keep, raise, capacity: () => capacity }
}

t.test('an entry that is gone leads to none that is there: a collection would keep those on its account', async (t) => {
  const { memory, keep, raise } = open({ maxItems: 3 })
  for (const key of ['a', 'b', 'c']) keep(key, 'shared')
  const [a, b] = [memory.peek('a'), memory.peek('b')]
  keep('b', 'shared')
  keep('d', 'shared')
  t.same([memory.peek('a'), memory.peek('b') === b], [undefined, false], 'one has made room, one has made way')
  for (const gone of [a, b]) {
    t.ok(gone?.link)
    t.same(
      [gone?.newer, gone?.older, gone?.link?.next, gone?.link?.previous],
      [undefined, undefined, undefined, undefined],
    )
  }
  raise('shared', 1)
  t.equal(memory.items, 0, 'and the others are still linked with their tag')
})

t.test('memory is bounded by items; the oldest entry that nobody has used goes first', async (t) => {
  const { memory, keep, capacity } = open({ maxItems: 2 })
  keep('a')
  keep('b')
  memory.read('a', NOW)
  keep('c')
  t.equal(memory.items, 2)
  t.equal(memory.read('b', NOW), undefined)
  t.ok(memory.read('a', NOW))
  t.equal(memory.evictions, 1)
  t.equal(capacity(), 1)
})

t.test('memory is bounded by bytes', async (t) => {
  const { memory, keep } = open({ maxBytes: 2_500 })
  const long = 'x'.repeat(600)
  keep('a', 'tag', long)
  keep('b', 'tag', long)
  keep('c', 'tag', long)
  t.equal(memory.items, 2)
  t.ok(memory.bytes <= 2_500)
  t.notOk(keep('d', 'tag', 'x'.repeat(3_000)), 'larger than all of it')
  t.ok(memory.bytes <= 2_500)
})

/** Compresses the document that lies under a key, as hits do; answers how many bytes it takes with its copy. */
async function compressed(memory: MemoryTier, key: string): Promise<number> {
  const document = memory.peek(key)?.document
  if (document === undefined) return 0
  const ask = () => {
    void document.body
    document.compressLater()
    return document.gzip
  }
  const copy = await until(ask, { describe: `${key} is compressed`, intervalMs: 1 })
  return Buffer.byteLength(document.json) + copy.length
}

t.test('memory is bounded by bytes with the compressed copies of large documents counted', async (t) => {
  const maxBytes = 60_000
  const { memory, keep } = open({ maxBytes })
  const seeded = new Seeded(1)
  // Eight symbols at random: the copy is hardly less than half as large, which is the worst that is kept.
  const value = () => Array.from({ length: 10_000 }, () => seeded.below(8)).join('')
  const keys = ['a', 'b', 'c', 'd', 'e']
  for (const key of keys) keep(key, 'tag', value())
  t.equal(memory.items, 3)
  let held = 0
  for (const key of keys) held += await compressed(memory, key)
  t.ok(held > 3 * 14_000, 'the copies do weigh something')
  t.ok(held <= memory.bytes)
  t.ok(memory.bytes <= maxBytes)
  keep('small', 'tag', 'x'.repeat(4_000))
  t.equal(memory.bytes, 3 * (400 + 1 + 10_002 + 5_001) + 400 + 5 + 4_002, 'nothing is reserved for small ones')
})

t.test('what is evicted or superseded leaves neither document nor copy behind', async () => {
  const { memory, keep } = open({ maxItems: 2 })
  const held = async (key: string): Promise<WeakRef<object>[]> => {
    keep(key, 'tag', key.repeat(5_000))
    await compressed(memory, key)
    const document = memory.peek(key)?.document
    return [document, document?.gzip].map((part) => new WeakRef(part ?? {}))
  }
  const refs = [...(await held('a')), ...(await held('b'))]
  keep('b', 'tag', 'newer')
  keep('c')
  await freed(refs)
})

t.test('an entry too large to keep replaces an older one of its key with nothing', async (t) => {
  const { memory, keep, tags } = open({ maxBytes: 1_000 })
  keep('a')
  t.notOk(keep('a', 'tag-a', 'x'.repeat(2_000)))
  t.equal(memory.read('a', NOW), undefined)
  t.equal(tags.size, 0, 'and its tag is let go')
})

t.test('an entry whose lifetime is over is not answered, and counted', async (t) => {
  const { memory, keep } = open()
  keep('a', 'tag-a', 'a', NOW + 50)
  t.ok(memory.read('a', NOW + 49))
  t.equal(memory.read('a', NOW + 50), undefined)
  t.equal(memory.expirations, 1)
  t.equal(memory.items, 0)
})

t.test('a raised tag drops its entries and no others', async (t) => {
  const { memory, keep, raise } = open()
  keep('a', 'tag')
  keep('b', 'tag')
  keep('c', 'other')
  raise('tag', 1)
  t.same(
    ['a', 'b', 'c'].map((key) => memory.peek(key) !== undefined),
    [false, false, true],
  )
  t.ok(keep('a', 'tag'), 'read under the version heard of')
  raise('tag', 1)
  t.ok(memory.read('a', NOW))
})

t.test('an entry that is named by one of its tags goes at once when that is raised', async (t) => {
  const { memory, keep, raise, tags } = open()
  keep('a', 'a')
  keep('b', 'b')
  keep('c', 'a')
  t.equal(tags.size, 1, 'only c holds on to the tag')
  raise('a', 1)
  t.same(
    ['a', 'b', 'c'].map((key) => memory.read(key, NOW) !== undefined),
    [false, true, false],
  )
  t.ok(keep('a', 'a'), 'read under the version heard of')
  raise('a', 1)
  t.ok(memory.read('a', NOW))
  raise('b', 3)
  t.equal(memory.items, 1)
})

t.test('it goes even if so much is heard of at once that the version of its tag is forgotten again', async (t) => {
  const { memory, keep, tags } = open()
  keep('a', 'a')
  const rows = ['a', ...Array.from({ length: 3_000 }, (_, n) => `other-${n}`)].map((tag) => ({ tag, version: 1 }))
  const news = rows.filter((row) => tags.hear(row))
  t.equal(tags.heardOf('a'), 0, 'forgotten')
  for (const row of news) memory.dropBehind(row)
  t.equal(memory.read('a', NOW), undefined)
})

t.test('a key that another entry’s tag is spelled like is not named by it', async (t) => {
  const { memory, keep, raise } = open()
  keep('a', 'tag')
  keep('b', 'a')
  raise('a', 1)
  t.ok(memory.read('a', NOW))
  t.equal(memory.read('b', NOW), undefined)
})

t.test(
  'a raised tag with thousands of entries: none is answered from that moment, and they go in slices',
  async (t) => {
    const { memory, keep, raise, deferred } = open({ maxItems: 5_000 })
    const keys = Array.from({ length: 2_500 }, (_, n) => `k${n}`)
    for (const key of keys) keep(key, 'tag')
    raise('tag', 1)
    t.equal(memory.items, 2_400)
    t.ok(keys.every((key) => memory.read(key, NOW) === undefined))
    for (let work = deferred.shift(); work !== undefined; work = deferred.shift()) work()
    t.equal(memory.items, 0)
  },
)

t.test('a clear: nothing from before is answered from that moment, and it goes in slices', async (t) => {
  const { memory, keep, tags, deferred } = open({ maxItems: 5_000 })
  for (let n = 0; n < 2_500; n++) keep(`k${n}`)
  tags.hear({ tag: '*', version: 7 })
  t.ok(keep('new'))
  memory.dropCleared()
  t.equal(memory.items, 2_401)
  t.equal(memory.read('k2400', NOW), undefined)
  for (let work = deferred.shift(); work !== undefined; work = deferred.shift()) work()
  t.equal(memory.items, 1)
  t.ok(memory.read('new', NOW))
})

t.test('what was read under a lower version than heard of is not kept', async (t) => {
  const { memory, tags } = open()
  const state = tags.state('tag')
  tags.hear({ tag: 'tag', version: 2 })
  const fill = {
    key: 'a',
    document: text('a'),
    loadedAt: NOW,
    freshUntil: NOW + 9,
    expiresAt: NOW + 9,
    clearVersion: 0,
    counts,
  }
  t.notOk(memory.keep({ ...fill, states: [state], versions: [1] }))
  t.equal(memory.items, 0)
  t.ok(memory.keep({ ...fill, states: [state], versions: [2] }))
  t.notOk(memory.keep({ ...fill, clearVersion: 1, states: [], versions: [] }))
})

for (const [how, key] of [
  ['the entry it replaces', 'a'],
  ['an entry that makes way', 'b'],
] as const) {
  t.test(`an entry hears of its tag even if ${how} was the last other one with it`, async (t) => {
    const { memory, keep, raise } = open({ maxItems: 1 })
    keep('a', 'tag')
    t.ok(keep(key, 'tag'))
    raise('tag', 1)
    t.equal(memory.read(key, NOW), undefined)
  })
}

t.test('tags that nothing depends on any more are let go', async (t) => {
  const { memory, keep, tags } = open({ maxItems: 3 })
  for (let n = 0; n < 100; n++) keep(`k${n}`)
  t.equal(memory.items, 3)
  t.equal(tags.size, 3)
})
