import fc from 'fast-check'
import t from 'tap'
import { bytesCodec, jsonCodec } from '../../../services/cache/index.js'
import { decodeEntry, encodeEntry, EntrySeal } from '../../../services/cache/redis/entry-codec.js'
import { parseSnapshot } from '../../../services/cache/core/snapshot.js'

const ENTRY = {
  value: { n: [1, { deep: true }], text: 'a\nb ü' },
  snapshot: parseSnapshot('3:9:3,5')!,
  loadedAt: 1_795_000_000_123,
  freshMs: 600_000,
  lifetimeMs: 660_000,
  moreTags: ['a b', 'ü"\\', 'x'],
}

t.test('what goes in comes out', async (t) => {
  t.same(decodeEntry(encodeEntry(ENTRY, jsonCodec), jsonCodec), ENTRY)
  const negative = { ...ENTRY, value: undefined, moreTags: [] }
  t.same(decodeEntry(encodeEntry(negative, jsonCodec), jsonCodec), negative)
  const bytes = { ...ENTRY, value: Buffer.from([0, 255, 10, 13]) }
  t.same(decodeEntry(encodeEntry(bytes, bytesCodec), bytesCodec), bytes)
  t.throws(() => encodeEntry(ENTRY, bytesCodec), TypeError)
})

t.test('cached objects are frozen all through, since every caller gets the same', async (t) => {
  const value = { list: [{ a: 1 }] }
  encodeEntry({ ...ENTRY, value }, jsonCodec)
  t.throws(() => value.list.push({ a: 2 }), TypeError)
  t.throws(() => Object.assign(value.list[0]!, { a: 2 }), TypeError)
})

t.test('whatever lies in Redis is an entry or nothing, never an error', async (t) => {
  const good = encodeEntry(ENTRY, jsonCodec)
  const mutated = fc
    .tuple(fc.nat(good.length), fc.nat(8), fc.string())
    .map(([at, count, put]) => good.slice(0, at) + put + good.slice(at + count))
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (text) => {
      const entry = decodeEntry(text, jsonCodec)
      if (entry === undefined) return
      const times = [entry.loadedAt, entry.freshMs, entry.lifetimeMs]
      t.ok(
        times.every((ms) => Number.isSafeInteger(ms) && ms >= 0),
        text,
      )
      t.ok(entry.moreTags.every((tag) => typeof tag === 'string') && entry.snapshot.xmax > 0, text)
    }),
    { numRuns: 3_000 },
  )
  for (const text of ['1 1 1 1:1: [1]', '1 1 1 1:1: {}', '-1 1 1 1:1:', '1 1 1 1:1:\n{', ' 1 1 1 1:1:']) {
    t.equal(decodeEntry(text, jsonCodec), undefined, text)
  }
})

t.test('what a codec would not have made is nothing', async (t) => {
  for (const text of ['not base64', 'AA', 'AA=', 'AAAA=', ' AAAA', '{}'])
    t.equal(bytesCodec.decode(text), undefined, text)
  for (const text of ['', '{', 'undefined', "'x'"]) t.equal(jsonCodec.decode(text), undefined, text)
  t.same(bytesCodec.decode(''), Buffer.alloc(0))
})

t.test('a sealed text opens under its own name alone, with its own secret, and as it was', async (t) => {
  const seal = new EntrySeal('a secret')
  const sealed = seal.seal('p:e:a', 'text ü\n"')
  t.equal(seal.open('p:e:a', sealed), 'text ü\n"')
  t.equal(new EntrySeal('a secret').open('p:e:a', sealed), 'text ü\n"', 'on every replica')
  t.equal(new EntrySeal('').open('p:e:a', sealed), undefined)
  t.equal(seal.open('p:e:b', sealed), undefined)
  t.equal(seal.open('p:e:', `${sealed.slice(0, 22)}a${sealed.slice(22)}`), undefined, 'name and text are kept apart')
  for (let at = 0; at < sealed.length; at++) t.equal(seal.open('p:e:a', sealed.slice(0, at)), undefined)
  fc.assert(fc.property(fc.string(), (text) => text === sealed || seal.open('p:e:a', text) === undefined))
  t.not(seal.digestOf('one'), new EntrySeal('').digestOf('one'))
  t.not(seal.digestOf('one'), seal.digestOf('two'))
})

t.test('times that contradict each other are no entry', async (t) => {
  t.equal(decodeEntry(encodeEntry({ ...ENTRY, freshMs: 2, lifetimeMs: 1 }, jsonCodec), jsonCodec), undefined)
})
