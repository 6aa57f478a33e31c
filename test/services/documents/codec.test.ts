import t from 'tap'
import { documentCodec } from '../../../services/documents/codec.js'
import { Document } from '../../../services/documents/document.js'

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
