import t from 'tap'
import { gzipEtag } from '../../../services/documents/compressed-copy.js'
import { allowedVersions, rowEtag, textEtag } from '../../../services/documents/etag.js'

t.test('no header and a star allow any version', async (t) => {
  t.equal(allowedVersions(undefined), undefined)
  t.equal(allowedVersions('*'), undefined)
  t.equal(allowedVersions(' * '), undefined)
})

t.test('tags of rows allow the versions they stand for', async (t) => {
  t.same(allowedVersions(rowEtag(7)), [7])
  t.same(allowedVersions('"1-1","1-2" , "a,b", "1-3"'), [1, 2, 3])
})

t.test('the tag of a compressed answer allows the version it stands for', async (t) => {
  t.same(allowedVersions('"1-7-gzip"'), [7])
  t.same(allowedVersions('"1-1-gzip", "1-2"'), [1, 2])
  t.equal(gzipEtag(rowEtag(7)), '"1-7-gzip"', 'as the cache spells it')
})

t.test('weak tags, tags of lists, other formats and nonsense allow nothing', async (t) => {
  const nothing = [
    'W/"1-1"',
    textEtag('[]'),
    '"0-1"',
    '"1-"',
    '"1-x"',
    '"1-1000000000000000"',
    '1-1',
    '"1-1',
    '',
    'W/"1-1-gzip"',
    '"1-1-br"',
    '"1-1-gzip-gzip"',
  ]
  for (const header of nothing) t.same(allowedVersions(header), [], header)
})
