import t from 'tap'
import { gzipEtag } from '../../../services/documents/compressed-copy.js'
import { allowedVersions, rowEtag, textEtag } from '../../../services/documents/etag.js'

const ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const OTHER = '01a2069f-4382-76fe-94e2-50d41d9cb576'
const tag = (version: number): string => rowEtag(ID, version)

t.test('no header and a star allow any version', async (t) => {
  for (const header of [undefined, '*', ' * ']) t.equal(allowedVersions(header, ID), undefined)
})

t.test('tags of a row allow the versions they stand for', async (t) => {
  t.same(allowedVersions(tag(7), ID), [7])
  t.same(allowedVersions(tag(7), ID.toUpperCase()), [7])
  t.same(allowedVersions(`${tag(1)},${tag(2)} , "a,b", ${tag(3)}`, ID), [1, 2, 3])
})

t.test('the tag of a compressed answer allows the version it stands for', async (t) => {
  t.same(allowedVersions(gzipEtag(tag(7)), ID), [7])
  t.same(allowedVersions(`${gzipEtag(tag(1))}, ${tag(2)}`, ID), [1, 2])
})

t.test('the same version of another row is another tag, and allows nothing', async (t) => {
  t.not(rowEtag(OTHER, 1), tag(1))
  t.same(allowedVersions(rowEtag(OTHER, 1), ID), [])
})

t.test('weak tags, tags of lists, other formats and nonsense allow nothing', async (t) => {
  const own = tag(1)
  const nothing = [
    `W/${own}`,
    textEtag('[]'),
    own.replace('2-', '1-'),
    own.replace('-1"', '-"'),
    own.replace('-1"', '-x"'),
    own.replace('-1"', '-1000000000000000"'),
    own.replaceAll('"', ''),
    own.slice(0, -1),
    '',
    `W/${gzipEtag(own)}`,
    own.replace('-1"', '-1-br"'),
    gzipEtag(gzipEtag(own)),
  ]
  for (const header of nothing) t.same(allowedVersions(header, ID), [], header)
})
