import t from 'tap'
import { documentCodec } from '../../../services/documents/codec.js'
import { Document } from '../../../services/documents/document.js'
import { IdPage } from '../../../services/documents/id-page.js'

t.test('a document comes back as it was, with its ETag', async (t) => {
  const text = documentCodec.encode(new Document('{"a":"b\\n"}', '"2-x-1"'))
  t.match(documentCodec.decode(text), { json: '{"a":"b\\n"}', etag: '"2-x-1"' })
})

t.test('what no header could carry as an ETag makes no document', async (t) => {
  const etags = [
    '',
    '"',
    '""',
    'x',
    '"a',
    'a"',
    '"a"b"',
    'W/"a"',
    '"a\u0000b"',
    '"a\r"',
    '"ü"',
    '"a b"',
    `"${'x'.repeat(201)}"`,
  ]
  for (const etag of etags) t.equal(documentCodec.decode(`${etag}\n{}`), undefined, JSON.stringify(etag))
  for (const text of ['', '\n', '{}', '"1"']) t.equal(documentCodec.decode(text), undefined, JSON.stringify(text))
})

t.test('a page of ids comes back as it was, and from nothing else', async (t) => {
  const ids = ['01a2069f-4382-76fe-94e2-50d41d9cb575', '01a2069f-4382-76fe-94e2-50d41d9cb576']
  const pages = [
    new IdPage({ ids: [], nextCursor: null, sortValues: undefined, total: undefined, isShort: true }),
    new IdPage({ ids, nextCursor: 'x', sortValues: undefined, total: { total: 3, isExact: true }, isShort: false }),
    new IdPage({ ids, nextCursor: null, sortValues: ['a"\n', ''], total: { total: 0, isExact: false }, isShort: true }),
  ]
  for (const page of pages) t.same(documentCodec.decode(documentCodec.encode(page)), page)
  const [, text = ''] = pages.map((page) => documentCodec.encode(page))
  t.ok(text.length < 2 * 22 + 20, text)
  const others = [
    '[',
    '[]',
    '[1,{}]',
    '[1,["x",null,0]]',
    '[1,["",0,0]]',
    text.replace('"x"', '7'),
    text.replace('0,3', '["a"],3'),
  ]
  for (const other of others) t.equal(documentCodec.decode(other), undefined, other)
})

t.test('two pages of ids are the same whether or not their rows have become long', async (t) => {
  const page = { ids: [], nextCursor: 'x', sortValues: undefined, total: undefined, isShort: true }
  const same = (other: object) => documentCodec.isSame?.(new IdPage(page), new IdPage({ ...page, ...other }))
  t.equal(same({ isShort: false }), true)
  t.equal(same({ nextCursor: null }), false)
  t.equal(same({ total: { total: 1, isExact: true } }), false)
  t.equal(documentCodec.isSame?.(new IdPage(page), new Document('{}', '"1"')), false)
})
