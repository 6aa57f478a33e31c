import { syncBuiltinESMExports } from 'node:module'
import zlib, { gunzipSync } from 'node:zlib'
import t from 'tap'
import { Document } from '../../../services/documents/document.js'
import { until } from '../../helpers/deadline.js'
import { freed } from '../../helpers/freed.js'
import { Seeded } from '../../helpers/seeded.js'

const seeded = new Seeded(1)

/** Random text of `symbols` different letters: the fewer they are, the better it shrinks. Below 12 to less than half. */
function letters(length: number, symbols: number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + seeded.below(symbols))).join('')
}

function documentOf(text: string): Document {
  return new Document(JSON.stringify(text), '"x"')
}

/** Sends a document as a hit does, to a client that takes gzip. */
function send(document: Document, times = 1): void {
  for (let n = 0; n < times; n += 1) {
    void document.body
    document.compressLater()
  }
}

/** Copies are made one at a time: once a document that is sent now has its copy, those begun before it are done. */
async function doneBefore(): Promise<void> {
  const last = documentOf(letters(5_000, 8))
  await until(() => (send(last), last.gzip), { describe: 'the last document is compressed', intervalMs: 1 })
}

t.test('a document is compressed when it goes out as bytes for the second time', async (t) => {
  const text = letters(5_000, 8)
  const document = documentOf(`${text}ü`)
  send(document, 2)
  await doneBefore()
  t.equal(document.gzip, undefined, 'sent once as text, once as bytes')
  send(document)
  t.equal(document.gzip, undefined, 'nobody waits for it')
  const copy = await until(() => document.gzip, { describe: 'it is compressed', intervalMs: 1 })
  t.equal(gunzipSync(copy).toString(), document.json)
  t.equal(document.gzipEtag, '"x-gzip"')
  t.equal(document.etag, '"x"')
  t.equal(copy.buffer.byteLength, copy.length, 'in memory of its own')
  send(document, 3)
  await doneBefore()
  t.equal(document.gzip, copy, 'once')
})

t.test('a document below 4,096 characters is never compressed', async (t) => {
  const [small, large] = [documentOf('x'.repeat(4_093)), documentOf('x'.repeat(4_094))]
  t.same([small.isLarge, large.isLarge], [false, true])
  send(small, 5)
  await doneBefore()
  t.equal(small.gzip, undefined)
  send(large, 5)
  await until(() => large.gzip, { describe: 'the larger one is compressed', intervalMs: 1 })
})

t.test('a copy of more than half the size is not kept, and not tried again', async (t) => {
  const document = documentOf(letters(20_000, 26))
  send(document, 3)
  await doneBefore()
  t.equal(document.gzip, undefined)
  send(document)
  const other = documentOf(letters(5_000, 8))
  send(other, 3)
  await until(() => other.gzip, { describe: 'nothing was under way when the other one came', intervalMs: 1 })
  t.equal(document.gzip, undefined)
})

t.test('one document is compressed at a time; the next one when it is sent again', async (t) => {
  const [first, second] = [documentOf(letters(3_000_000, 8)), documentOf(letters(5_000, 8))]
  send(first, 3)
  send(second, 3)
  await until(() => first.gzip, { describe: 'the first is compressed', intervalMs: 1 })
  t.equal(second.gzip, undefined, 'although it takes a hundredth of the time')
  send(second)
  await until(() => second.gzip, { describe: 'the second is compressed', intervalMs: 1 })
})

t.test('a zlib that fails leaves a document plain, and the next one unharmed', async (t) => {
  const { gzip } = zlib
  const replace = (by: unknown): void => {
    Object.assign(zlib, { gzip: by })
    syncBuiltinESMExports()
  }
  t.teardown(() => replace(gzip))
  const document = documentOf(letters(5_000, 8))
  replace(() => {
    throw new Error('no memory')
  })
  send(document, 3)
  replace(gzip)
  await doneBefore()
  t.equal(document.gzip, undefined)
  t.equal(String(document.body), document.json)
})

t.test('a document that nobody holds any more is freed, also with its copy under way', async () => {
  const begin = (): WeakRef<Document>[] => {
    const dropped = [documentOf(letters(1_000_000, 8)), documentOf(letters(5_000, 8))]
    for (const document of dropped) send(document, 3)
    return dropped.map((document) => new WeakRef(document))
  }
  await freed(begin())
  await doneBefore()
})
