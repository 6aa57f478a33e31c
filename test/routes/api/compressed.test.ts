import t from 'tap'
import { gzipEtag } from '../../../services/documents/compressed-copy.js'
import { rowEtag } from '../../../services/documents/etag.js'
import { type Answer, startService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'

/** The last part of a URL. */
function idIn(url: string): string {
  return url.split('/').at(-1) ?? ''
}

const GZIP = { 'accept-encoding': 'gzip, deflate, br' }
const DESIGN = { filename: 'füchse.png', file_path: '/designs/fox.png', platform: 'etsy' }
const WORDS = 'A pattern of leaves in four colours, drawn by hand. '.repeat(12)
const HIT = /^roundhouse; hit; ttl=\d+; detail=memory$/

/** Reads until the answer is compressed. */
function compressed(user: UserCaller, url: string): Promise<Answer> {
  const read = async () => {
    const answer = await user.get(url, GZIP)
    return answer.headers['content-encoding'] === 'gzip' ? answer : undefined
  }
  return until(read, { describe: `${url} is compressed` })
}

/** Reads a few times, and once more after `other` was compressed: by then anything begun before it would be done. */
async function afterAnother(user: UserCaller, url: string, other: string): Promise<Answer> {
  for (let n = 0; n < 5; n += 1) await user.get(url, GZIP)
  await compressed(user, other)
  return user.get(url, GZIP)
}

t.test('compressed answers', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()
  const ids: string[] = []
  for (let n = 0; n < 50; n += 1) {
    const { body } = await user.post('/api/designs', { ...DESIGN, description: `${n} ${WORDS}` })
    ids.push(body.id)
  }
  const newLarge = async (): Promise<string> => {
    const { body } = await user.post('/api/designs', { ...DESIGN, description: WORDS.repeat(8).slice(0, 5_000) })
    return `/api/designs/${body.id}`
  }
  /** A list of its own, not cached and not compressed yet. */
  let lists = 0
  const newList = (): string => `/api/designs?limit=${50 - lists++}`

  t.test('a list of 50 goes out plain at first, then compressed to who takes gzip, and plain to others', async (t) => {
    const list = newList()
    const plain = await user.get(list, GZIP)
    t.match(plain, { status: 200, headers: { vary: 'Authorization, Accept-Encoding', etag: /^"[\w-]{43}"$/ } })
    t.equal(plain.body.items.length, 50)
    for (const reads of [2, 3]) {
      const again = await user.get(list, GZIP)
      t.equal(again.headers['content-encoding'], undefined, `at read ${reads}`)
      t.same({ text: again.text, etag: again.headers['etag'] }, { text: plain.text, etag: plain.headers['etag'] })
    }
    const packed = await compressed(user, list)
    t.equal(packed.text, plain.text)
    const { etag, ...headers } = packed.headers
    t.equal(etag, `${plain.headers['etag']?.slice(0, -1)}-gzip"`)
    t.match(headers, {
      'cache-control': 'private, no-cache',
      'cache-status': HIT,
      'content-type': 'application/json; charset=utf-8',
      vary: 'Authorization, Accept-Encoding',
    })
    t.ok(Number(headers['content-length']) < Buffer.byteLength(plain.text) / 2)
    for (const other of [
      {},
      { 'accept-encoding': 'gzip;q=0' },
      { 'accept-encoding': 'br' },
      { 'accept-encoding': ';' },
    ]) {
      const read = await user.get(list, other)
      t.equal(read.headers['content-encoding'], undefined, JSON.stringify(other))
      t.match(read, { status: 200, headers: { vary: 'Authorization, Accept-Encoding', 'cache-status': HIT } })
      t.same({ text: read.text, etag: read.headers['etag'] }, { text: plain.text, etag: plain.headers['etag'] })
    }
    const head = await user.send({ method: 'HEAD', url: list, headers: GZIP })
    const { 'content-encoding': coding, 'content-length': length } = packed.headers
    t.match(head, { status: 200, text: '', headers: { etag, 'content-encoding': coding, 'content-length': length } })
  })

  t.test('either ETag answers 304, with the one that a 200 would have had', async (t) => {
    const list = newList()
    const plainTag = String((await user.get(list)).headers['etag'])
    const early = await user.get(list, { ...GZIP, 'if-none-match': `${plainTag.slice(0, -1)}-gzip"` })
    t.match(
      early,
      { status: 304, headers: { etag: plainTag, vary: 'Authorization, Accept-Encoding' } },
      'not compressed yet',
    )
    const gzipTag = String((await compressed(user, list)).headers['etag'])
    for (const known of [plainTag, gzipTag, `W/${gzipTag}`, `"x", ${gzipTag}`, '*']) {
      for (const [accepted, etag] of [
        [GZIP, gzipTag],
        [{}, plainTag],
      ] as const) {
        const read = await user.get(list, { ...accepted, 'if-none-match': known })
        t.match(
          read,
          { status: 304, text: '', headers: { etag, vary: 'Authorization, Accept-Encoding', 'cache-status': HIT } },
          known,
        )
        t.equal(read.headers['content-encoding'], undefined)
      }
    }
    for (const unknown of ['"x-gzip"', '"-gzip"']) {
      t.equal((await user.get(list, { ...GZIP, 'if-none-match': unknown })).status, 200, unknown)
    }
    await user.patch(`/api/designs/${ids[49]}`, { filename: 'changed.png' })
    const changed = await user.get(list, { ...GZIP, 'if-none-match': `${gzipTag}, ${plainTag}` })
    t.match(changed, { status: 200, headers: { 'cache-status': 'roundhouse; fwd=miss; stored' } })
    t.equal(changed.headers['content-encoding'], undefined, 'another document')
    t.equal((await compressed(user, list)).body.items[0].filename, 'changed.png')
  })

  t.test('304s and answers to who does not take gzip bring no compression about', async (t) => {
    const list = newList()
    const tag = String((await user.get(list)).headers['etag'])
    for (let n = 0; n < 5; n += 1) {
      await user.get(list)
      await user.get(list, { ...GZIP, 'if-none-match': tag })
    }
    await compressed(user, newList())
    t.equal((await user.get(list, GZIP)).headers['content-encoding'], undefined)
  })

  t.test('If-Match takes either ETag of a large design, and what writes answer is plain', async (t) => {
    const url = await newLarge()
    const tag = (version: number, suffix = '-gzip'): string => `${rowEtag(idIn(url), version).slice(0, -1)}${suffix}"`
    t.equal((await compressed(user, url)).headers['etag'], tag(1))
    for (const wrong of [tag(2), `W/${tag(2)}`, tag(2, '-br'), tag(1, 'gzip')]) {
      t.equal((await user.patch(url, { filename: 'x' }, { ...GZIP, 'if-match': wrong })).status, 412, wrong)
    }
    const changed = await user.patch(url, { filename: 'x' }, { ...GZIP, 'if-match': tag(1) })
    t.match(changed, { status: 200, headers: { etag: tag(2, ''), 'roundhouse-version': String } })
    t.same([changed.headers['content-encoding'], changed.headers['vary']], [undefined, undefined])
    const again = await user.patch(url, { filename: 'y' }, { 'if-match': tag(1) })
    t.match(again, { status: 412, body: { code: 'PRECONDITION_FAILED' } })
    t.equal((await compressed(user, url)).text, changed.text)
    t.equal((await user.delete(url, { 'if-match': tag(1) })).status, 412)
    t.equal((await user.delete(url, { 'if-match': tag(2) })).status, 204)
  })

  t.test('a small design does not vary by coding and is never compressed', async (t) => {
    const small = `/api/designs/${ids[0]}`
    const tag = rowEtag(idIn(small), 1)
    const read = await afterAnother(user, small, await newLarge())
    t.match(read, { status: 200, headers: { etag: tag, 'cache-status': HIT } })
    t.same([read.headers['content-encoding'], read.headers['vary']], [undefined, 'Authorization'])
    const known = await user.get(small, { ...GZIP, 'if-none-match': tag })
    t.equal(known.status, 304)
    t.equal(known.headers['vary'], 'Authorization')
    t.equal(
      (await user.get(small, { ...GZIP, 'if-none-match': gzipEtag(tag) })).status,
      304,
      'a proxy may have made it',
    )
  })

  t.test('a list put together from single documents is another document each time', async (t) => {
    const read = await afterAnother(user, `/api/designs?ids=${ids.join(',')}`, await newLarge())
    t.match(read, { status: 200, headers: { vary: 'Authorization, Accept-Encoding', etag: /^"[\w-]{43}"$/ } })
    t.equal(read.headers['content-encoding'], undefined)
  })

  t.test('errors are not compressed', async (t) => {
    const missing = await user.get('/api/designs/01a2069f-0000-7000-8000-000000000000', GZIP)
    t.match(missing, { status: 404, body: { code: 'NOT_FOUND' } })
    t.same([missing.headers['content-encoding'], missing.headers['vary']], [undefined, undefined])
  })
})
