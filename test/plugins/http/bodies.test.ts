import t from 'tap'
import { startService } from '../../helpers/app.js'

const DESIGN = { filename: 'Café.png', file_path: '/cafe.png', platform: 'etsy' }

t.test('bodies', async (t) => {
  const { admin, newUser } = await startService(t)
  const user = await newUser()
  const post = (payload: string | Buffer, headers: Record<string, string>, url = '/api/designs') =>
    user.send({ method: 'POST', url, payload, headers })
  const json = { 'content-type': 'application/json' }
  const text = JSON.stringify(DESIGN)

  t.test('in UTF-8 are taken as they are', async (t) => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
      t.match(await post(text, { 'content-type': type }), { status: 201, body: { filename: 'Café.png' } }, type)
    }
    t.equal((await post(`\ufeff${text}`, json)).status, 201, 'a byte order mark is not a part of the text')
  })

  t.test('in anything else are refused, not guessed at', async (t) => {
    const malformed = { status: 400, body: { code: 'MALFORMED_BODY' } }
    const overlong = Buffer.concat([Buffer.from('{"filename":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])
    const surrogate = Buffer.concat([Buffer.from('{"filename":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])
    for (const bytes of [Buffer.from(text, 'latin1'), Buffer.from(text, 'utf16le'), overlong, surrogate]) {
      t.match(await post(bytes, json), malformed)
    }
    const latin = { 'content-type': 'application/json; charset=iso-8859-1' }
    t.match(await post(text, latin), { status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } })
  })

  t.test('with a name that could be taken for the prototype of all objects have it named', async (t) => {
    for (const [more, name] of [
      ['"__proto__":{"a":1}', '__proto__'],
      ['"metadata":{"a":[{"__proto__":1}]}', 'metadata.a.0.__proto__'],
      ['"metadata":{"\\u005f_proto__":1}', 'metadata.__proto__'],
      ['"metadata":{"constructor":{"prototype":{}}}', 'metadata.constructor.prototype'],
    ] as const) {
      const message = `body: ${name} is a name that is not taken: give it another one`
      const answer = await post(text.replace('{', `{${more},`), json)
      t.match(answer, { status: 400, body: { code: 'INVALID_REQUEST', message } }, more)
    }
    const metadata = { constructor: 'Lego', prototype: 1, proto: '__proto__' }
    t.match(await user.post('/api/designs', { ...DESIGN, metadata }), { status: 201, body: { metadata } })
    const nested = `{"a":${'['.repeat(60_000)}{"__proto__":1}${']'.repeat(60_000)}}`
    t.equal((await post(nested, json)).status, 400)
  })

  t.test('with a number that would be another one once it is read are refused, and have it named', async (t) => {
    const changed = 'is a number with more digits than are kept, or too large: send it as a text, in quotation marks'
    for (const [more, name] of [
      ['"metadata":{"listing_id":9007199254740993}', 'metadata.listing_id'],
      ['"metadata":{"shops":[{"id":"1"},{"id": 1729382256910270464}]}', 'metadata.shops.1.id'],
      ['"metadata":{"a":1e999}', 'metadata.a'],
      ['"metadata":{"a":9007199254740992.0}', 'metadata.a'],
      ['"external_id":9007199254740993', 'external_id'],
    ] as const) {
      const answer = await post(text.replace('{', `{${more},`), json)
      t.match(answer, { status: 400, body: { code: 'INVALID_REQUEST', message: `body: ${name} ${changed}` } }, more)
    }
    const operations = `{"operations":[{"op":"create","row":${text}},{"op":"create","row":${text.replace('{', '{"metadata":{"a":9007199254740993},')}}]}`
    const bulk = await post(operations, json, '/api/designs/bulk')
    t.match(bulk, { status: 400, body: { message: `body: operations.1.row.metadata.a ${changed}` } })
    const metadata = { most: Number.MAX_SAFE_INTEGER, least: -Number.MAX_SAFE_INTEGER, third: 1 / 3, text: ', 1e999' }
    t.match(await user.post('/api/designs', { ...DESIGN, metadata }), { status: 201, body: { metadata } })
  })

  t.test('may hold each number as it was answered', async (t) => {
    const numbers = '{"a":1e16,"b":[123e15,1.5E+17,-1e20,9007199254740990e1],"c":1e21,"d":1e-7,"e":1.50}'
    const { status, body } = await post(text.replace('{', `{"metadata":${numbers},`), json)
    t.equal(status, 201)
    const { text: answered } = await user.get(`/api/designs/${body.id}`)
    t.match(answered, '"b":[123000000000000000,150000000000000000,-100000000000000000000,90071992547409900]')
    t.same(JSON.parse(answered).metadata, JSON.parse(numbers))
    for (const method of ['PUT', 'PATCH'] as const) {
      const again = await user.send({ method, url: `/api/designs/${body.id}`, payload: answered, headers: json })
      t.match(again, { status: 200, text: answered }, method)
    }
    const row = answered
      .replace(/"id":"[^"]*","user_id":"[^"]*","version":\d+,/, '')
      .replace(/,"created_at":"[^"]*","updated_at":"[^"]*"/, '')
    const operations = `{"operations":[{"op":"create","row":${row}}]}`
    t.match(await post(operations, json, '/api/designs/bulk'), { status: 200, body: { results: [{ status: 201 }] } })
  })

  t.test('that are compressed are 415, and told to come as they are', async (t) => {
    for (const coding of ['gzip', 'br', 'GZIP, identity']) {
      const answer = await post(text, { ...json, 'content-encoding': coding })
      t.match(answer, { status: 415, body: { code: 'UNSUPPORTED_CONTENT_CODING' } }, coding)
      t.equal(answer.headers['accept-encoding'], 'identity')
    }
    t.equal((await post(text, { ...json, 'content-encoding': 'identity' })).status, 201)
  })

  t.test('of another type are 415, which names the one that is taken', async (t) => {
    const id = (await user.post('/api/designs', DESIGN)).body.id
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'text/plain;charset=UTF-8',
    ]) {
      const headers = { 'content-type': type }
      const posted = await post(text, headers)
      t.match(posted, { status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } }, type)
      t.match(posted.headers, { 'accept-post': 'application/json', 'accept-patch': undefined })
      const patched = await user.send({ method: 'PATCH', url: `/api/designs/${id}`, payload: text, headers })
      t.match(patched, { status: 415, headers: { 'accept-patch': 'application/json', 'accept-post': undefined } }, type)
    }
    t.equal((await post(text, { 'content-type': 'nonsense' })).status, 415)
    t.equal((await user.send({ method: 'POST', url: '/api/designs', payload: Buffer.from(text) })).status, 415)
  })

  t.test('that are empty are none where none is needed, and are missed where one is', async (t) => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
      const headers = { 'content-type': type }
      const { body } = await user.post('/api/designs', DESIGN)
      t.equal((await user.delete(`/api/designs/${body.id}`, headers)).status, 204, type)
      for (const url of ['/api/cache/clear', `/api/cache/clear/user/${user.id}`]) {
        t.equal((await admin.send({ method: 'POST', url, headers })).status, 200, `${type} ${url}`)
        t.equal((await admin.send({ method: 'POST', url, headers: { ...headers, 'content-length': '0' } })).status, 200)
      }
    }
    t.match(await post('', json), { status: 400, body: { code: 'MALFORMED_BODY' } })
    t.equal((await post('', { 'content-type': 'text/plain' })).status, 415)
    t.equal((await admin.send({ method: 'POST', url: '/api/cache/clear', payload: '{}', headers: json })).status, 200)
  })

  t.test('for a path that is not there are not looked at', async (t) => {
    t.equal((await post('nonsense', json, '/nowhere')).status, 404)
    t.equal((await post('nonsense', { 'content-type': 'text/plain' }, '/nowhere')).status, 404)
    t.equal((await user.send({ method: 'PUT', url: '/api/designs', payload: 'x', headers: json })).status, 405)
  })
})
