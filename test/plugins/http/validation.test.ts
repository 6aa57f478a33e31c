import type { TSchema } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { LineReader } from '../../../commands/import/reader.js'
import { BatchWriter } from '../../../commands/import/writer.js'
import { InspectQuery } from '../../../routes/api/cache/schemas.js'
import { domains } from '../../../services/domains.js'
import { NewToken, NewUser, PageQuery } from '../../../services/users/schema.js'
import { startService, type UserCaller } from '../../helpers/app.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const [COMPOSED, DECOMPOSED] = ['Café', 'Cafe\u0301']

const { app, admin, newUser } = await startService(t)

t.test('texts', async (t) => {
  const user = await newUser()

  t.test('are stored composed, wherever they stand, and found as either', async (t) => {
    const spelled = JSON.stringify({ ...DESIGN, filename: DECOMPOSED, tags: [DECOMPOSED] }).replace('\u0301', '\\u0301')
    const headers = { 'content-type': 'application/json' }
    const { body } = await user.send({ method: 'POST', url: '/api/designs', payload: spelled, headers })
    t.match(body, { filename: COMPOSED, tags: [COMPOSED] })
    for (const tag of [COMPOSED, DECOMPOSED]) {
      const { body: page } = await user.get(`/api/designs?tag=${encodeURIComponent(tag)}`)
      t.equal(page.items.length, 1)
    }
    const { body: template } = await user.post('/api/templates', {
      name: DECOMPOSED,
      title: 't',
      platform: 'etsy',
      product_type: DECOMPOSED,
    })
    const { body: found } = await user.get(`/api/templates?product_type=${encodeURIComponent(DECOMPOSED)}`)
    t.match(found.items, [{ name: COMPOSED, product_type: COMPOSED }])
    const images = [{ filename: DECOMPOSED, file_path: '/x' }]
    const { body: mockup } = await user.post('/api/mockups', { name: 'm', template_id: template.id, images })
    t.equal(mockup.images[0].filename, COMPOSED)
    t.equal((await user.patch('/api/users/me', { shop_name: DECOMPOSED })).body.shop_name, COMPOSED)
    t.equal((await user.patch(`/api/mockups/${mockup.id}`, { name: 'ÅÅ' })).body.name, 'ÅÅ')
    t.equal(
      (await user.post('/api/designs', { ...DESIGN, filename: `${DECOMPOSED.repeat(63)}abc` })).status,
      201,
      '255',
    )
  })

  t.test('are told apart as composed by an import, too', async (t) => {
    const reader = new LineReader('designs', { ids: false, dates: false })
    const writer = new BatchWriter(app, user.id, { existing: 'compare' })
    const imported = async (filename: string): Promise<unknown> => {
      const read = reader.read({ ...DESIGN, filename })
      return 'row' in read ? (await writer.write([{ kind: 'designs', ...read }]))[0]?.outcome : read
    }
    t.equal(await imported(`${DECOMPOSED} 2`), 'created')
    t.equal(await imported(`${COMPOSED} 2`), 'equal')
    t.match(await imported('a\0'), [/filename must not hold the character U\+0000/])
  })

  t.test('that no database stores are refused by the name of their field', async (t) => {
    const texts: [string, RegExp][] = [
      ['a\0b', /must not hold the character U\+0000/],
      ['\ud800', /must not hold half of a surrogate pair/],
      ['x\udc00x', /must not hold half/],
      ['\udc00\ud800', /must not hold half/],
    ]
    const { body: template } = await user.post('/api/templates', {
      name: 'n',
      title: 't',
      platform: 'etsy',
      product_type: 'p',
    })
    for (const [text, message] of texts) {
      const refused = async (field: RegExp, answer: ReturnType<UserCaller['post']>): Promise<void> => {
        const { status, body } = await answer
        t.match({ status, body }, { status: 400, body: { code: 'INVALID_REQUEST', message: field } })
        t.match(body.message, message)
      }
      await refused(/^body: filename /, user.post('/api/designs', { ...DESIGN, filename: text }))
      await refused(/^body: tags\.1 /, user.post('/api/designs', { ...DESIGN, tags: ['a', text] }))
      const image = { filename: 'a', file_path: text }
      await refused(
        /^body: images\.0\.file_path /,
        user.post('/api/mockups', { name: 'm', template_id: template.id, images: [image] }),
      )
      await refused(/^body: email /, admin.post('/api/users', { email: `${text}@example.com`, shop_name: 'x' }))
      await refused(/^body: name /, admin.post(`/api/users/${user.id}/tokens`, { name: text }))
      await refused(/^body: unknown /, user.post('/api/designs', { ...DESIGN, unknown: text }))
    }
    for (const url of ['/api/designs?tag=%00', '/api/designs?cursor=%00', '/api/designs?nobody=%00']) {
      t.match(await user.get(url), { status: 400, body: { message: /U\+0000/ } }, url)
    }
    t.equal((await admin.get('/api/cache/inspect?key=a%00b')).status, 400)
  })

  t.test('are names as well: composed, and refused where no database stores them', async (t) => {
    const headers = { 'content-type': 'application/json' }
    const made = (metadata: string) => {
      const payload = `${JSON.stringify(DESIGN).slice(0, -1)},"metadata":${metadata}}`
      return user.send({ method: 'POST', url: '/api/designs', payload, headers })
    }
    const { status, body } = await made('{"z":1,"e\\u0301":{"a\\u030a":"e\\u0301"},"b":[{"e\\u0301":2}],"a":3}')
    t.equal(status, 201)
    const { body: row } = await user.get(`/api/designs/${body.id}`)
    t.equal(JSON.stringify(row.metadata), '{"z":1,"é":{"å":"é"},"b":[{"é":2}],"a":3}', 'in their order')
    for (const [metadata, message] of [
      ['{"a\\u0000":1}', 'body: metadata has a name that must not hold the character U+0000'],
      ['{"a":[{"\\ud800":1}]}', 'body: metadata.a.0 has a name that must not hold half of a surrogate pair'],
      ['{"\\ufeffa":1}', 'body: metadata has a name that must not begin with a byte order mark (U+FEFF)'],
      ['{"e\\u0301":1,"\\u00e9":2}', 'body: metadata has two names that are one when they are composed (NFC): é'],
    ] as const) {
      t.match(await made(metadata), { status: 400, body: { code: 'INVALID_REQUEST', message } }, metadata)
    }
    const long = await made(`{"${'é'.repeat(5_000)}":"\\u0000"}`)
    t.ok(long.body.message.length < 300, 'a name is not repeated at its length')
  })

  t.test('begin with no byte order mark: one of the databases drops it', async (t) => {
    const rule = 'must not begin with a byte order mark (U+FEFF)'
    for (const [field, more] of [
      ['filename', { filename: '\ufeffa.png' }],
      ['external_id', { external_id: '\ufeff' }],
      ['tags.0', { tags: ['\ufeffa'] }],
      ['metadata.a', { metadata: { a: '\ufeffa' } }],
    ] as const) {
      const message = `body: ${field} ${rule}`
      t.match(await user.post('/api/designs', { ...DESIGN, ...more }), { status: 400, body: { message } })
    }
    const put = await user.put('/api/designs/by-external-id/%EF%BB%BF', DESIGN)
    t.match(put, { status: 400, body: { message: `path: external_id ${rule}` } })
    const { body } = await user.post('/api/designs', { ...DESIGN, filename: 'a\ufeff.png' })
    t.equal((await user.get(`/api/designs/${body.id}`)).body.filename, 'a\ufeff.png', 'within a text it is a character')
  })

  t.test('hold no endless run of combining marks: to compose one would stop everybody', async (t) => {
    const long = `a${'\u0301'.repeat(100_000)}${'\u0323'.repeat(100_000)}`
    const rule = 'must not hold more than 100 combining marks in a row'
    const at = performance.now()
    const bulk = await user.post('/api/designs/bulk', {
      operations: [{ op: 'create', row: { ...DESIGN, description: long } }, { [long]: 1 }],
    })
    t.match(bulk, { status: 400, body: { code: 'INVALID_REQUEST' } })
    t.ok(bulk.body.message.endsWith(rule), bulk.body.message)
    const named = await user.post('/api/designs/bulk', { operations: [{ [long]: 1 }] })
    t.match(named, { status: 400, body: { message: `body: operations.0 has a name that ${rule}` } })
    const spread = `a${'\u0301'.repeat(50)}${'\u0323'.repeat(50)}`.repeat(600)
    const description = spread.normalize('NFC')
    t.match(
      await user.post('/api/designs/bulk', { operations: [{ op: 'create', row: { ...DESIGN, description: spread } }] }),
      {
        body: { results: [{ status: 201 }] },
      },
    )
    t.match((await user.get('/api/designs')).body.items[0], { description })
    t.ok(performance.now() - at < 3_000, 'it took half a minute')
  })

  t.test('may be nested as deep as somebody likes: it is refused', async (t) => {
    const headers = { 'content-type': 'application/json' }
    for (const payload of [
      `${'['.repeat(60_000)}${']'.repeat(60_000)}`,
      `{"filename":${'['.repeat(99)}${']'.repeat(99)}}`,
    ]) {
      t.equal((await user.send({ method: 'POST', url: '/api/designs', payload, headers })).status, 400)
    }
  })
})

t.test('queries', async (t) => {
  const user = await newUser()
  await user.post('/api/designs', { ...DESIGN, is_active: false, tags: ['True'] })
  const { body: one } = await user.post('/api/designs', DESIGN)

  t.test('may carry what jQuery adds, everywhere', async (t) => {
    const plain = await user.get('/api/designs?limit=1')
    t.equal((await user.get('/api/designs?limit=1&_=1700000000')).text, plain.text)
    for (const url of [
      `/api/designs?ids=${one.id}&_=1`,
      `/api/designs/${one.id}?_=1`,
      '/api/users/me?_=1',
      '/api/cache/stats?_=1',
    ])
      t.equal((await user.get(url)).status, 200, url)
    t.equal((await user.get(`/api/users/${user.id}/tokens?_=1`)).status, 200)
  })

  t.test('take booleans as Python writes them, and as nobody does not', async (t) => {
    for (const [value, count] of [
      ['true', 1],
      ['True', 1],
      ['false', 1],
      ['False', 1],
    ] as const) {
      t.equal((await user.get(`/api/designs?is_active=${value}`)).body.items.length, count, value)
    }
    t.equal((await user.get('/api/designs?is_active=True')).body.items[0].id, one.id)
    t.equal((await user.get('/api/designs?tag=True')).body.items.length, 1, 'a text is a text')
    for (const value of ['TRUE', '1', 'yes', ''])
      t.equal((await user.get(`/api/designs?is_active=${value}`)).status, 400)
  })

  t.test('that repeat a key, or write lists as others do, are told how', async (t) => {
    const messages: [string, RegExp][] = [
      [`ids[]=${one.id}`, /^query: ids\[\] is not a known field: .*ids=a,b$/],
      [`ids[]=${one.id}&ids[]=${one.id}`, /ids=a,b$/],
      [`ids%5B0%5D=${one.id}`, /ids=a,b$/],
      [`ids=${one.id}&ids=${one.id}`, /^query: ids must be given once, .*ids=a,b$/],
      ['platform=etsy&platform=etsy', /^query: platform must be given once$/],
      ['ids=7', /^query: ids must be 1 to 100 ids, separated by commas$/],
    ]
    for (const [query, message] of messages) {
      t.match(
        await user.get(`/api/designs?${query}`),
        { status: 400, body: { code: 'INVALID_REQUEST', message } },
        query,
      )
    }
    const { body } = await user.get(`/api/designs?${'x'.repeat(5_000)}=1`)
    t.ok(body.message.length < 200, 'and an unknown key is not repeated at its length')
  })
})

/** Every schema inside of one. */
function schemasIn(schema: unknown): TSchema[] {
  if (typeof schema !== 'object' || schema === null) return []
  return [schema as TSchema, ...Object.values(schema).flatMap(schemasIn)]
}

function arePatternsDescribed(t: Test, name: string, schema: unknown): void {
  for (const { pattern, description } of schemasIn(schema)) {
    if (pattern !== undefined) t.type(description, 'string', `${name}: ${pattern}`)
  }
}

t.test('a pattern is never shown: it has a description that says what it wants', async (t) => {
  for (const { definition } of domains) {
    for (const [part, schema] of Object.entries(definition.schemas))
      arePatternsDescribed(t, `${definition.name} ${part}`, schema)
  }
  for (const schema of [NewUser, NewToken, PageQuery, InspectQuery]) arePatternsDescribed(t, 'users and cache', schema)

  const user = await newUser()
  const { body } = await admin.post(`/api/users/${user.id}/tokens`, { name: 'n', expires_at: '1960-01-01T00:00:00Z' })
  t.match(body.message, /^body: expires_at must be a time from 1970 to 2999 with its zone, as in /)
})
