import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { decodeEntry, encodeEntry, versionOf } from '../../../services/cache/codec.js'
import { Document } from '../../../services/cache/index.js'

const times = { loadedAt: 1, freshUntil: 2, expiresAt: 3 }

t.test('what is encoded is decoded, whatever the document holds', async () => {
  const word = fc.stringMatching(/^[!-~]+$/)
  const anyDocument = fc.option(fc.tuple(fc.string({ unit: 'binary' }), word), { nil: undefined })
  fc.assert(
    fc.property(anyDocument, fc.array(word, { minLength: 1 }), fc.nat(), (parts, stamps, loadedAt) => {
      const document = parts && new Document(...parts)
      const entry = { document, loadedAt, freshUntil: loadedAt + 1, expiresAt: loadedAt + 2, stamps }
      deepEqual(decodeEntry(encodeEntry(entry)), entry)
    }),
  )
})

t.test('a negative entry has no document', async (t) => {
  const decoded = decodeEntry(encodeEntry({ ...times, document: undefined, stamps: ['1:x'] }))
  t.equal(decoded?.document, undefined)
  t.same(decoded?.stamps, ['1:x'])
})

t.test('what is no entry is a miss, not an error', async (t) => {
  for (const text of ['', 'x', '1 2', '{"a":1}', 'a b c d e', '1 2 x "etag" 1:a\n{}']) {
    t.equal(decodeEntry(text), undefined, JSON.stringify(text))
  }
})

t.test('the version of a stamp; what is no stamp is behind everything', async (t) => {
  t.equal(versionOf('12:abc'), 12)
  t.equal(versionOf('0:abc'), 0)
  t.equal(versionOf(''), -1)
  t.equal(versionOf('abc'), -1)
})
