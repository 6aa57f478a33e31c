import fc from 'fast-check'
import t from 'tap'
import { gzipEtag } from '../../../services/documents/compressed-copy.js'
import { isTagged, rowEtag, tagsIn, textEtag, versionsIn } from '../../../services/documents/etag.js'

const ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const OTHER = '01a2069f-4382-76fe-94e2-50d41d9cb576'
const tag = (version: number): string => rowEtag(ID, version)
const versions = (header: string, id = ID) => versionsIn(tagsIn('if-match', header), id)

/** As proxies change the ETag of what they compress. */
const changed = (etag: string): string[] => [
  `W/${etag}`,
  ...['-gzip', '--gzip', ';gzip', '-br', '-zstd', ';br', '-deflate'].flatMap((suffix) => {
    const suffixed = `${etag.slice(0, -1)}${suffix}"`
    return [suffixed, `W/${suffixed}`]
  }),
]

t.test('a star is any version', async (t) => {
  for (const header of ['*', ' * ']) t.equal(versions(header), undefined)
})

t.test('tags of a row allow the versions they stand for', async (t) => {
  t.same(versions(tag(7)), [7])
  t.same(versions(tag(7), ID.toUpperCase()), [7])
  t.same(versions(`${tag(1)},${tag(2)} , "a,b", ${tag(3)}`), [1, 2, 3])
  t.same(versions(`, ,${tag(1)},,\t${tag(2)},`), [1, 2], 'members of a list may be empty')
})

t.test('a tag that a compressing proxy changed is what it was', async (t) => {
  t.same(versions(gzipEtag(tag(7))), [7])
  t.same(versions(`${gzipEtag(tag(1))}, ${tag(2)}`), [1, 2])
  for (const header of changed(tag(7))) t.same(versions(header), [7], header)
  for (const header of [...changed(gzipEtag(tag(7))), ...changed(textEtag('[]'))]) {
    const etag = header.includes(tag(7).slice(1, -1)) ? tag(7) : textEtag('[]')
    t.ok(isTagged(tagsIn('if-none-match', `"x", ${header}`), etag), header)
  }
  t.ok(isTagged(tagsIn('if-none-match', '"x-br"'), '"x-br"'), 'a tag that ends so by chance is itself')
})

t.test('a tag that somebody made up costs no more than its length', async (t) => {
  for (const coding of ['-br', '--br', ';gzip', '-x-gzip']) {
    const header = `"${coding.repeat(16_000 / coding.length)}x"`
    const began = process.cpuUsage()
    for (let n = 0; n < 20; n += 1) {
      t.notOk(isTagged(tagsIn('if-none-match', header), tag(1)))
      t.same(versions(header), [])
    }
    const { user } = process.cpuUsage(began)
    t.ok(user < 500_000, `${coding}: ${user} µs of the processor for 40 looks`)
  }
})

t.test('the same version of another row is another tag, and allows nothing', async (t) => {
  t.not(rowEtag(OTHER, 1), tag(1))
  for (const header of changed(rowEtag(OTHER, 1))) t.same(versions(header), [])
})

t.test('tags of lists, other formats and tags of others allow nothing', async (t) => {
  const own = tag(1)
  const nothing = [
    textEtag('[]'),
    own.replace('"3-', '"1-'),
    own.replace('-1"', '-"'),
    own.replace('-1"', '-x"'),
    own.replace('-1"', '-1000000000000000"'),
    own.replace('-1"', '-1-lzma"'),
    own.replace('-1"', '-1gzip"'),
    '""',
  ]
  for (const header of nothing) t.same(versions(header), [], header)
})

t.test('what is no list of tags is refused, and no tag that nobody sent is found in it', async (t) => {
  const own = tag(1)
  const malformed = [
    '',
    ' ',
    ',',
    'nonsense',
    own.replaceAll('"', ''),
    own.slice(0, -1),
    own.slice(1),
    `w/${own}`,
    `W/ ${own}`,
    `${own} ${own}`,
    `${own}, x`,
    `*, ${own}`,
    `${own}, *`,
    '"a b"',
    "'a'",
  ]
  for (const header of malformed) {
    t.throws(
      () => tagsIn('if-match', header),
      { statusCode: 400, code: 'INVALID_REQUEST', message: /if-match/ },
      header,
    )
  }
  const opaque = fc.stringMatching(/^[!#-~]{0,20}$/)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), opaque), { minLength: 1 }),
      fc.constantFrom(',', ' , ', ',,'),
      (list, comma) => {
        const header = list.map(([isWeak, text]) => `${isWeak ? 'W/' : ''}"${text}"`).join(comma)
        t.same(
          tagsIn('if-match', header),
          list.map(([, text]) => text),
        )
      },
    ),
    { numRuns: 200 },
  )
})

t.test('a long header takes no longer than its length', async (t) => {
  const begun = performance.now()
  for (const header of [
    `"${'a,'.repeat(8_000)}`,
    `${', '.repeat(8_000)}x`,
    '"a" '.repeat(4_000),
    '"a",'.repeat(4_000),
  ]) {
    try {
      tagsIn('if-match', header)
    } catch {
      // Refused.
    }
  }
  t.ok(performance.now() - begun < 500)
})
