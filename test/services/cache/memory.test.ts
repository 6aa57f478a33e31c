import t from 'tap'
import type { Entry } from '../../../services/cache/entry.js'
import { Knowledge } from '../../../services/cache/core/knowledge.js'
import { Memory } from '../../../services/cache/memory.js'
import { Stats } from '../../../services/cache/stats.js'
import { Rows, startWorld, tagOf } from '../../helpers/cache/replicas.js'

const tail = (snapshot: string, from: string, tags: string[] = []) => ({
  snapshot,
  from,
  identity: 'i',
  fault: undefined,
  changes: tags.map((tag) => ({ transaction: Number(snapshot.split(':')[1]) - 1, tags: [tag] })),
})

function setUp({ maxItems = 10, maxBytes = 1_000_000 } = {}) {
  const knowledge = new Knowledge({ slots: 2 ** 16, seed: 1 })
  knowledge.take(tail('1:1:', '1:1:'))
  const full: boolean[] = []
  const deferred: (() => void)[] = []
  const memory = new Memory({
    maxItems,
    maxBytes,
    knowledge,
    defer: (work) => deferred.push(work),
    onCapacity: ({ isByItems }) => full.push(isByItems),
  })
  const counts = new Stats({ isTimed: false }).of('x')
  const keep = (key: string, bytes = 100): void => {
    const slots = knowledge.heard.slotsOf([key])
    const provenance = knowledge.provenance()
    if (provenance === undefined) throw new Error('a tail has been taken')
    const times = { loadedAt: 0, freshUntil: 1_000, expiresAt: 2_000 }
    const entry: Entry = {
      key,
      value: key,
      tags: [key],
      slots,
      ...times,
      counts,
      bytes,
      provenance,
      judgedAt: knowledge.news,
      undoubtedAt: -1,
      isVisited: false,
    }
    memory.keep(entry)
  }
  const keys = (): string[] => 'abcdefghijklmnop'.split('').filter((key) => memory.peek(key) !== undefined)
  return { knowledge, memory, keep, keys, full, deferred }
}

t.test('what was used stays when room is made, and what came first and was not goes', async (t) => {
  const { memory, keep, keys, full } = setUp({ maxItems: 3 })
  for (const key of 'abc') keep(key)
  memory.read('a', 0)
  keep('d')
  t.same(keys(), ['a', 'c', 'd'])
  keep('e')
  t.same(keys(), ['a', 'd', 'e'], 'the hand goes on from where it was')
  keep('f')
  t.same(keys(), ['a', 'e', 'f'])
  keep('g')
  t.same(keys(), ['a', 'f', 'g'])
  t.equal(memory.evictions, 4)
  t.same(full, [true, true, true, true])
})

t.test('where all were used the one that came first goes: each is passed over once', async (t) => {
  const { memory, keep, keys } = setUp({ maxItems: 3 })
  for (const key of 'abc') keep(key)
  for (const key of 'abc') memory.read(key, 0)
  keep('d')
  t.same(keys(), ['b', 'c', 'd'])
  keep('e')
  t.same(keys(), ['c', 'd', 'e'])
})

t.test('the bytes are bounded too, and what is larger than all of memory is not kept', async (t) => {
  const { memory, keep, keys, full } = setUp({ maxBytes: 250 })
  keep('a')
  keep('b')
  keep('c', 200)
  t.same(keys(), ['c'])
  t.equal(memory.bytes, 200)
  keep('d', 251)
  t.same(keys(), ['c'])
  t.same(full, [false, false])
  keep('c', 10)
  t.equal(memory.bytes, 10, 'an entry replaces the one of the same key')
})

t.test('an entry is judged anew when there is news, and is gone once it is behind', async (t) => {
  const { knowledge, memory, keep } = setUp()
  keep('a')
  keep('b')
  knowledge.take(tail('2:3:', '1:1:', ['a']))
  t.equal(memory.read('a', 0), undefined)
  t.equal(memory.items, 1)
  t.equal(memory.read('b', 0)?.provenance.snapshot.text, '2:3:', 'what is still current shows all up to the last tail')
})

t.test('its lifetime is over at its end', async (t) => {
  const { memory, keep } = setUp()
  keep('a')
  t.ok(memory.read('a', 1_999))
  t.equal(memory.read('a', 2_000), undefined)
  t.equal(memory.expirations, 1)
  t.equal(memory.bytes, 0)
})

t.test('a sweep frees what is behind in slices, whatever comes and goes meanwhile', async (t) => {
  const { knowledge, memory, keep, deferred } = setUp({ maxItems: 10_000 })
  for (let n = 0; n < 1_200; n++) keep(`k${n}`)
  const tags = Array.from({ length: 600 }, (_, n) => `k${n}`)
  knowledge.take({ ...tail('2:3:', '1:1:'), changes: [{ transaction: 2, tags }] })
  memory.sweep()
  t.equal(memory.items, 700)
  keep('late')
  while (deferred.length > 0) deferred.shift()?.()
  t.ok(memory.items <= 601 && memory.items > 595, `${memory.items}: two tags may share both slots`)
  memory.clear()
  t.equal(memory.items, 0)
  t.equal(memory.bytes, 0)
})

t.test('the operator is told that memory is full, and by what', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1, options: { maxItems: 2 } })
  const rows = new Rows(database)
  for (const name of ['a', 'b', 'c']) await rows.read(members[0]!, name)
  t.ok(members[0]!.events.includes('full by items'))
  t.equal(members[0]!.cache.stats().evictions, 1)
  t.equal(tagOf('a'), 'u/things/a')
})

t.test('a tier of no items keeps nothing', async (t) => {
  const { keep, keys } = setUp({ maxItems: 0 })
  keep('a')
  t.same(keys(), [])
})
