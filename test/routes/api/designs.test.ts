import t from 'tap'
import { rowEtag } from '../../../services/documents/etag.js'
import { startService } from '../../helpers/app.js'

const MINIMAL = { filename: 'sunset.png', file_path: '/designs/sunset.png', platform: 'etsy' }
const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('designs', async (t) => {
  const { anonymous, newUser } = await startService(t)
  const user = await newUser()
  const stranger = await newUser()

  const created = await user.post('/api/designs', MINIMAL)
  const { id } = created.body
  const url = `/api/designs/${id}`
  const first = rowEtag(id, 1)

  t.test('POST answers 201 with the row, its defaults, its place and its ETag', async (t) => {
    t.equal(created.status, 201)
    t.equal(created.headers['location'], `designs/${id}`)
    t.equal(created.headers['etag'], first)
    t.match(created.headers['content-type'], 'application/json')
    t.match(created.body, {
      ...MINIMAL,
      user_id: user.id,
      version: 1,
      description: null,
      tags: [],
      template_ids: [],
      is_active: true,
      is_digital: false,
      created_at: /^\d{4}-\d\d-\d\dT.*Z$/,
    })
  })

  t.test('Location leads to the row from wherever a proxy has put the API', async (t) => {
    for (const [path, asked] of [
      ['/api/designs', 'https://shop.example/deep/er/api/designs'],
      ['/api/designs/', 'https://shop.example/prefix/api/designs/'],
      ['/api/designs?', 'http://localhost/api/designs?'],
      ['/api/d%65signs', 'http://localhost/v1/api/d%65signs'],
    ] as const) {
      const { headers, body } = await user.post(path, MINIMAL)
      const expected = `${asked.replace(/[/?]+$/, '')}/${body.id}`
      t.equal(new URL(headers['location'] ?? '', asked).href, expected, path)
    }
  })

  t.test('GET answers what POST answered', async (t) => {
    const read = await user.get(url)
    t.equal(read.status, 200)
    t.equal(read.headers['etag'], first)
    t.equal(read.headers['cache-control'], 'private, no-cache')
    t.equal(read.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(read.text, created.text)
  })

  t.test('an id in upper case is the same row', async (t) => {
    const read = await user.get(`/api/designs/${id.toUpperCase()}`)
    t.equal(read.text, created.text)
    t.match(read.headers['cache-status'], 'hit', 'and the same entry')
  })

  t.test('GET with If-None-Match answers 304 with the headers of the 200', async (t) => {
    for (const known of [first, `W/${first}`, `"x", ${first}`, '*']) {
      const read = await user.get(url, { 'if-none-match': known })
      t.equal(read.status, 304, known)
      t.equal(read.text, '')
      t.match(read.headers, { etag: first, 'cache-control': 'private, no-cache', 'cache-status': /^roundhouse; hit/ })
    }
    t.equal((await user.get(url, { 'if-none-match': rowEtag(id, 2) })).status, 200)
  })

  t.test('HEAD answers the headers of GET without a body', async (t) => {
    const read = await user.send({ method: 'HEAD', url })
    t.match(read, { status: 200, text: '', headers: { etag: first } })
  })

  t.test('a row of somebody else is 404 for every method, also once it is cached', async (t) => {
    for (const answer of [
      await stranger.get(url),
      await stranger.patch(url, { filename: 'mine.png' }),
      await stranger.patch(url, { filename: 'mine.png' }, { 'if-match': first }),
      await stranger.delete(url),
      await user.get(`/api/designs/${UNKNOWN_ID}`),
      await user.get(`/api/designs/${UNKNOWN_ID}`),
    ]) {
      t.match(answer, { status: 404, body: { statusCode: 404, code: 'NOT_FOUND', error: 'Not Found' } })
    }
    t.equal((await user.get(url)).text, created.text)
  })

  t.test('PATCH changes the fields it names and no other', async (t) => {
    const { body } = await user.post('/api/designs', {
      ...MINIMAL,
      tags: ['a', 'with "quotes", {braces}'],
      description: 'd',
    })
    const changed = await user.patch(`/api/designs/${body.id}`, { filename: 'new.png', description: null })
    t.equal(changed.status, 200)
    t.equal(changed.headers['etag'], rowEtag(body.id, 2))
    t.match(changed.body, { filename: 'new.png', description: null, tags: body.tags, version: 2 })
    t.equal((await user.get(`/api/designs/${body.id}`)).text, changed.text)
  })

  t.test('If-Match lets PATCH and DELETE pass only for the version it names', async (t) => {
    const { body } = await user.post('/api/designs', MINIMAL)
    const its = `/api/designs/${body.id}`
    const tag = (version: number): string => rowEtag(body.id, version)
    const others = [rowEtag(id, 1), `${tag(1).slice(0, -1)}9999999999999999"`]
    for (const wrong of [tag(2), `W/${tag(2)}`, '"1"', ...others]) {
      const patched = await user.patch(its, { filename: 'x' }, { 'if-match': wrong })
      t.match(patched, { status: 412, body: { code: 'PRECONDITION_FAILED' } }, wrong)
      t.equal((await user.delete(its, { 'if-match': wrong })).status, 412, wrong)
    }
    for (const malformed of ['nonsense', '', tag(1).slice(1), `${tag(1)} ${tag(1)}`]) {
      const patched = await user.patch(its, { filename: 'x' }, { 'if-match': malformed })
      t.match(patched, { status: 400, body: { code: 'INVALID_REQUEST', message: /if-match/ } }, malformed)
      t.equal((await user.delete(its, { 'if-none-match': malformed })).status, 400, malformed)
      t.equal((await user.get(its, { 'if-none-match': malformed })).status, 400, malformed)
    }
    t.equal((await user.patch(its, { filename: 'x' }, { 'if-match': `${tag(7)}, ${tag(1)}` })).status, 200)
    t.equal((await user.patch(its, { filename: 'y' }, { 'if-match': '*' })).status, 200)
    t.equal((await user.delete(its, { 'if-match': tag(2) })).status, 412)
    t.equal((await user.delete(its, { 'if-match': tag(3) })).status, 204)
    t.equal((await user.patch(its, { filename: 'x' }, { 'if-match': tag(3) })).status, 404)
    t.equal((await user.get(its)).status, 404)
  })

  t.test('If-Match takes the tag of a version as a compressing proxy changed it', async (t) => {
    const { body } = await user.post('/api/designs', MINIMAL)
    const its = `/api/designs/${body.id}`
    const tag = (version: number, suffix: string): string => `${rowEtag(body.id, version).slice(0, -1)}${suffix}"`
    const forms = (version: number) => [
      `W/${tag(version, '')}`,
      ...['-gzip', ';gzip', '-br'].map((end) => tag(version, end)),
    ]
    let version = 1
    for (const form of forms(0).keys()) {
      t.equal(
        (await user.patch(its, { filename: `${version}` }, { 'if-match': forms(version)[form] ?? '' })).status,
        200,
      )
      t.equal((await user.patch(its, { filename: 'late' }, { 'if-match': forms(version)[form] ?? '' })).status, 412)
      version += 1
      t.equal((await user.get(its, { 'if-none-match': forms(version)[form] ?? '' })).status, 304)
      t.equal((await user.get(its, { 'if-none-match': forms(version - 1)[form] ?? '' })).status, 200)
    }
  })

  t.test('If-None-Match lets PATCH and DELETE pass only for another version', async (t) => {
    const { body } = await user.post('/api/designs', MINIMAL)
    const its = `/api/designs/${body.id}`
    const tag = (version: number): string => rowEtag(body.id, version)
    for (const known of [tag(1), `W/${tag(1)}`, `"x", ${tag(1).slice(0, -1)}-gzip"`, '*']) {
      const patched = await user.patch(its, { filename: 'x' }, { 'if-none-match': known })
      t.match(patched, { status: 412, body: { code: 'PRECONDITION_FAILED' } }, known)
      t.equal((await user.delete(its, { 'if-none-match': known })).status, 412, known)
    }
    t.equal((await user.get(its)).body.version, 1)
    t.equal((await user.patch(its, { filename: 'x' }, { 'if-none-match': `${tag(7)}, "x"` })).status, 200)
    const both = { 'if-match': tag(2), 'if-none-match': tag(2) }
    t.equal((await user.patch(its, { filename: 'y' }, both)).status, 412)
    t.equal((await user.delete(its, { 'if-match': tag(1), 'if-none-match': '"x"' })).status, 412)
    t.equal((await user.patch(`/api/designs/${UNKNOWN_ID}`, { filename: 'x' }, { 'if-none-match': '*' })).status, 404)
    t.equal((await user.delete(its, { 'if-none-match': tag(1) })).status, 204)
  })

  t.test('GET under an If-Match of another version is 412', async (t) => {
    t.equal((await user.get(url, { 'if-match': first })).status, 200)
    t.equal((await user.get(url, { 'if-match': '*' })).status, 200)
    t.match(await user.get(url, { 'if-match': rowEtag(id, 2) }), { status: 412, body: { code: 'PRECONDITION_FAILED' } })
    t.equal((await user.get('/api/designs', { 'if-match': first })).status, 412)
  })

  t.test('what GET gave may be sent back: what only the service writes is compared, not written', async (t) => {
    const { body } = await user.post('/api/designs', { ...MINIMAL, tags: ['a'], description: 'd' })
    const its = `/api/designs/${body.id}`
    const read = (await user.get(its)).body
    t.match(await user.patch(its, read), { status: 200, body: { version: 1 } }, 'nothing changes')
    const changed = await user.patch(its, { ...read, filename: 'new.png' })
    t.match(changed, { status: 200, body: { filename: 'new.png', version: 2 } })
    for (const [field, value] of Object.entries({
      id: UNKNOWN_ID,
      user_id: stranger.id,
      version: 1,
      created_at: '2020-01-01T00:00:00.000Z',
      updated_at: null,
    })) {
      const refused = await user.patch(its, { ...changed.body, filename: 'z', [field]: value })
      const expected = {
        status: 400,
        body: { code: 'READ_ONLY_FIELD', message: new RegExp(`^body: ${field} can not`) },
      }
      t.match(refused, expected, field)
    }
    t.match(await user.patch(its, { id: body.id, version: 2 }), {
      status: 400,
      body: { message: /nothing but id, version/ },
    })
    t.equal(
      (await user.patch(its, { ...changed.body, filename: 'z' }, { 'if-match': rowEtag(body.id, 1) })).status,
      412,
    )
    t.equal((await user.patch(`/api/designs/${UNKNOWN_ID}`, read)).status, 404)
    const writes = [1, 2, 3].map((n) => user.patch(its, { ...changed.body, filename: `${n}.png` }))
    const statuses = (await Promise.all(writes)).map(({ status }) => status)
    t.equal(statuses.filter((status) => status === 200).length, 1, 'one of those who read the same version')
  })

  t.test('bodies are refused with 400 and the name of the field', async (t) => {
    const refused: [string, object, RegExp][] = [
      ['an unknown field', { ...MINIMAL, colour: 'red' }, /colour/],
      ['a missing field', { filename: 'a', platform: 'etsy' }, /file_path/],
      ['a field of the server', { ...MINIMAL, user_id: stranger.id }, /user_id/],
      ['a word for a boolean', { ...MINIMAL, is_active: 'true' }, /is_active/],
      ['a number for a string', { ...MINIMAL, filename: 7 }, /filename/],
      ['no name of a platform', { ...MINIMAL, platform: 'eBay!' }, /platform must be etsy, shopify, craftflow, or/],
      ['an empty name', { ...MINIMAL, filename: '' }, /filename/],
      ['a NUL', { ...MINIMAL, filename: 'a\0b' }, /filename/],
      ['a NUL in a list', { ...MINIMAL, tags: ['a\0b'] }, /tags/],
      ['a lone surrogate', { ...MINIMAL, description: '\ud800' }, /description/],
      ['a name too long', { ...MINIMAL, filename: 'x'.repeat(256) }, /filename/],
      ['too many tags', { ...MINIMAL, tags: Array.from({ length: 101 }, String) }, /tags/],
      ['a template that is no UUID', { ...MINIMAL, template_ids: ['7'] }, /template_ids/],
      ['a template as a URN', { ...MINIMAL, template_ids: [`urn:uuid:${UNKNOWN_ID}`] }, /template_ids/],
      ['a list', [MINIMAL], /body/],
    ]
    for (const [name, body, message] of refused) {
      t.match(await user.post('/api/designs', body), { status: 400, body: { code: 'INVALID_REQUEST', message } }, name)
    }
    t.equal((await user.patch(url, {})).status, 400, 'an empty change')
    t.equal((await user.patch(url, { filename: null })).status, 400, 'null where there is always a value')
    t.equal((await user.patch(url, { version: 7 })).status, 400, 'a field of the server')
    const headers = { 'content-type': 'application/json' }
    t.equal(
      (await user.send({ method: 'POST', url: '/api/designs', payload: '{', headers })).status,
      400,
      'broken JSON',
    )
    t.equal((await user.send({ method: 'POST', url: '/api/designs', headers })).status, 400, 'no body')
    t.equal((await user.post('/api/designs', { ...MINIMAL, description: '👩‍🎨'.repeat(500) })).status, 201, 'emoji pass')
  })

  t.test('a body above 128 KiB is 413, and not before the token was checked', async (t) => {
    const large = { ...MINIMAL, description: 'x'.repeat(131_072) }
    t.match(await user.post('/api/designs', large), { status: 413, body: { statusCode: 413 } })
    t.equal((await anonymous.post('/api/designs', large)).status, 401)
  })

  t.test('an id that is no UUID is 404, with the words that are there', async (t) => {
    for (const bad of ['1', 'x'.repeat(36), `urn:uuid:${UNKNOWN_ID}`, `${UNKNOWN_ID}%00`, '%00']) {
      t.match(await user.get(`/api/designs/${bad}`), { status: 404, body: { code: 'NOT_FOUND' } }, bad)
      t.match(await user.delete(`/api/designs/${bad}`), { status: 404, body: { code: 'NOT_FOUND' } }, bad)
    }
    t.match((await user.get('/api/designs/no-such-word')).body.message, /^path: no-such-word is no id: an id is a UUID/)
    t.match((await user.get('/api/designs/x')).body.message, /there are .*\/api\/designs\/by-external-id\/:external_id/)
    t.equal((await anonymous.get('/api/designs/no-such-word')).status, 401)
  })

  t.test('templates must be the user’s own: 422 that names the others', async (t) => {
    const template = { name: 'Mug', title: '{design_name} mug', platform: 'etsy', product_type: 'mug' }
    const { body: own } = await user.post('/api/templates', template)
    const { body: foreign } = await stranger.post('/api/templates', template)
    const withTemplates = (...ids: string[]) => ({ ...MINIMAL, template_ids: ids })
    for (const bad of [foreign.id, UNKNOWN_ID]) {
      const answer = await user.post('/api/designs', withTemplates(own.id, bad))
      t.match(answer, { status: 422, body: { code: 'INVALID_REFERENCE', message: new RegExp(bad) } })
      t.notMatch(answer.body.message, own.id)
      t.equal((await user.patch(url, { template_ids: [bad] })).status, 422)
    }
    t.equal(
      (await user.patch(`/api/designs/${UNKNOWN_ID}`, { template_ids: [foreign.id] })).status,
      404,
      '404 goes first',
    )
    t.equal(
      (await user.patch(url, { template_ids: [foreign.id] }, { 'if-match': rowEtag(id, 9) })).status,
      412,
      'so does 412',
    )
    const twice = await user.post('/api/designs', withTemplates(own.id, own.id.toUpperCase()))
    t.match(twice, { status: 201, body: { template_ids: [own.id] } }, 'each template once')
  })
})
