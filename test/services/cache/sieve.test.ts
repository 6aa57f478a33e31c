import { equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Sieve, type Sieved } from '../../../services/cache/sieve.js'

interface Item extends Sieved<Item> {}

function item(key: string, bytes = 1): Item {
  return { key, bytes, slot: -1, isVisited: false, newer: undefined, older: undefined }
}

function open(options: { maxItems?: number; maxBytes?: number } = {}) {
  const evicted: string[] = []
  const sieve = new Sieve<Item>({
    maxItems: options.maxItems ?? 100,
    maxBytes: options.maxBytes ?? 1_000,
    onEvict: ({ key }) => evicted.push(key),
  })
  return { sieve, evicted }
}

t.test('what nobody has used goes, oldest first; what was used stays once', async (t) => {
  const { sieve, evicted } = open({ maxItems: 3 })
  for (const key of ['a', 'b', 'c']) sieve.add(item(key))
  sieve.get('a')
  sieve.add(item('d'))
  t.same(evicted, ['b'], 'the hand takes the mark of a, and goes on')
  sieve.add(item('e'))
  t.same(evicted, ['b', 'c'])
  sieve.add(item('f'))
  t.same(evicted, ['b', 'c', 'd'])
  sieve.add(item('g'))
  sieve.add(item('h'))
  t.same(evicted, ['b', 'c', 'd', 'e', 'f'], 'a is behind the hand until it begins anew')
  sieve.add(item('i'))
  sieve.add(item('j'))
  t.same(evicted.slice(5), ['g', 'h'])
  t.ok(sieve.peek('a'))
})

t.test('when everything was used, the oldest goes', async (t) => {
  const { sieve, evicted } = open({ maxItems: 2 })
  sieve.add(item('a'))
  sieve.add(item('b'))
  sieve.get('a')
  sieve.get('b')
  sieve.add(item('c'))
  t.same(evicted, ['a'])
})

t.test('a look is no use', async (t) => {
  const { sieve, evicted } = open({ maxItems: 2 })
  sieve.add(item('a'))
  sieve.add(item('b'))
  sieve.peek('a')
  sieve.add(item('c'))
  t.same(evicted, ['a'])
})

t.test('as many go as the bytes of the new one need, and what fits never is not taken', async (t) => {
  const { sieve, evicted } = open({ maxBytes: 10 })
  for (const key of ['a', 'b', 'c']) sieve.add(item(key, 3))
  t.ok(sieve.add(item('d', 6)))
  t.same([evicted, sieve.bytes], [['a', 'b'], 9])
  t.notOk(sieve.add(item('e', 11)))
  t.same([evicted, sieve.bytes, sieve.items], [['a', 'b'], 9, 2])
})

t.test('the hand goes on where it was when its entry is taken out', async (t) => {
  const { sieve, evicted } = open({ maxItems: 3 })
  const [a, b, c] = [item('a'), item('b'), item('c')]
  for (const each of [a, b, c]) sieve.add(each)
  sieve.get('a')
  sieve.add(item('d'))
  t.same(evicted, ['b'])
  sieve.remove(c)
  sieve.add(item('e'))
  sieve.add(item('f'))
  t.same(evicted, ['b', 'd'], 'not a, whose mark is gone but which is behind the hand')
})

t.test('whatever is done, the bounds hold and nothing is lost but what was told of', async () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), key, bytes: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constantFrom('get' as const, 'remove' as const), key, bytes: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { sieve, evicted } = open({ maxItems: 4, maxBytes: 20 })
      const held = new Map<string, Item>()
      for (const one of steps) {
        const there = sieve.peek(one.key)
        if (one.kind === 'get') equal(sieve.get(one.key), there)
        else if (one.kind === 'remove') {
          if (there !== undefined) sieve.remove(there)
          held.delete(one.key)
        } else if (there === undefined) {
          const added = item(one.key, one.bytes)
          if (sieve.add(added)) held.set(one.key, added)
        }
        for (const gone of evicted.splice(0)) held.delete(gone)
        ok(sieve.items <= 4 && sieve.bytes <= 20)
        equal(sieve.items, held.size)
        equal(
          sieve.bytes,
          [...held.values()].reduce((sum, { bytes }) => sum + bytes, 0),
        )
        for (const [name, entry] of held) equal(sieve.peek(name), entry)
        const queue: string[] = []
        for (let entry = sieve.oldest; entry !== undefined; entry = entry.newer) queue.push(entry.key)
        equal(queue.length, held.size)
      }
    }),
  )
})
