import t from 'tap'
import { startService } from '../../helpers/app.js'

const BODIES = {
  templates: { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' },
  designs: { filename: 'a.png', file_path: '/a.png', platform: 'etsy' },
}
const ODD = [
  'a/b?c#d',
  '%2F',
  'ü €\u{1F98A}',
  ' x ',
  "'; drop table designs; --",
  'by-external-id',
  'x'.repeat(255),
  '...',
  '\n',
]

t.test('rows by the key that their owner gave them', async (t) => {
  const { app, newUser } = await startService(t)
  const [user, stranger] = [await newUser(), await newUser()]
  const { body: template } = await user.post('/api/templates', BODIES.templates)
  const bodies = { ...BODIES, mockups: { name: 'Mug with fox', template_id: template.id } }

  for (const [resource, body] of Object.entries(bodies)) {
    const at = (externalId: string): string => `/api/${resource}/by-external-id/${encodeURIComponent(externalId)}`

    t.test(`${resource}: by any text, each user for themselves`, async (t) => {
      for (const externalId of ODD) {
        t.equal((await user.get(at(externalId))).status, 404, JSON.stringify(externalId))
        const made = await user.post(`/api/${resource}`, { ...body, external_id: externalId })
        t.match(made, { status: 201, body: { external_id: externalId, metadata: null } })
        const found = await user.get(at(externalId))
        t.same(found.body, made.body, 'the miss is forgotten with the insert')
        t.equal(found.headers['etag'], made.headers['etag'])
        t.equal((await stranger.get(at(externalId))).status, 404)
      }
    })

    t.test(`${resource}: kept once, and changed with its row`, async (t) => {
      const { body: row } = await user.post(`/api/${resource}`, { ...body, external_id: 'sku-1' })
      t.match((await user.get(at('sku-1'))).headers['cache-status'], 'fwd=miss; stored')
      t.match((await user.get(`/api/${resource}/${row.id}`)).headers['cache-status'], 'detail=memory')
      t.match((await user.get(at('sku-1'))).headers['cache-status'], 'detail=memory')
      await user.patch(`/api/${resource}/${row.id}`, { metadata: { shelf: 7 } })
      t.match((await user.get(at('sku-1'))).body, { version: 2, metadata: { shelf: 7 } })
      await user.patch(`/api/${resource}/${row.id}`, { external_id: 'sku-2' })
      t.equal((await user.get(at('sku-1'))).status, 404)
      t.equal((await user.get(at('sku-2'))).body.version, 3)
      const { body: next } = await user.post(`/api/${resource}`, { ...body, external_id: 'sku-1' })
      t.equal((await user.get(at('sku-1'))).body.id, next.id)
      await user.delete(`/api/${resource}/${next.id}`)
      t.equal((await user.get(at('sku-1'))).status, 404)
      await user.patch(`/api/${resource}/${row.id}`, { external_id: null })
      t.equal((await user.get(at('sku-2'))).status, 404)
    })

    t.test(`${resource}: never two rows under one`, async (t) => {
      await user.post(`/api/${resource}`, { ...body, external_id: 'taken' })
      const { body: other } = await user.post(`/api/${resource}`, body)
      const refused = { status: 409, body: { code: 'EXTERNAL_ID_TAKEN' } }
      t.match(await user.post(`/api/${resource}`, { ...body, external_id: 'taken' }), refused)
      t.match(await user.patch(`/api/${resource}/${other.id}`, { external_id: 'taken' }), refused)
      t.equal((await stranger.get(at('taken'))).status, 404)
      for (const refused of ['.', '..', '\u0000', 7]) {
        t.equal((await user.patch(`/api/${resource}/${other.id}`, { external_id: refused })).status, 400)
      }
      t.equal((await user.post(`/api/${resource}`, { ...body, external_id: 'x'.repeat(256) })).status, 400)
      t.equal((await user.get(at('x'.repeat(256)))).status, 400)
    })
  }

  t.test('another unique index says nothing of the external_id', async (t) => {
    const index = { name: 'test.index', text: 'create unique index one_path on designs (user_id, file_path)' }
    const [one, two] = [await newUser(), await newUser()]
    await app.db.query({ name: 'test.delete', text: 'delete from designs' })
    await app.db.query(index)
    t.teardown(() => app.db.query({ name: 'test.index', text: 'drop index one_path' }))
    for (const user of [one, two]) t.equal((await user.post('/api/designs', BODIES.designs)).status, 201)
    const refused = await one.post('/api/designs', { ...BODIES.designs, external_id: 'free' })
    t.match(refused, { status: 409, body: { code: 'CONFLICT' } })
    const { body: other } = await one.post('/api/designs', { ...BODIES.designs, file_path: '/b.png' })
    const change = await one.patch(`/api/designs/${other.id}`, { file_path: BODIES.designs.file_path })
    t.match(change, { status: 409, body: { code: 'CONFLICT' } })
  })

  t.test('what looks the same is the same', async (t) => {
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301']
    const { body: row } = await user.post('/api/designs', { ...BODIES.designs, external_id: decomposed })
    t.equal(row.external_id, composed)
    for (const spelling of [composed, decomposed]) {
      const found = await user.get(`/api/designs/by-external-id/${encodeURIComponent(spelling)}`)
      t.equal(found.body.id, row.id)
    }
    t.equal((await user.get('/api/designs/by-external-id/%00')).status, 400)
  })

  t.test('changes beside the service count too', async (t) => {
    const { body: row } = await user.post('/api/designs', { ...BODIES.designs, external_id: 'sql' })
    t.equal((await user.get('/api/designs/by-external-id/sql-2')).status, 404)
    t.equal((await user.get('/api/designs/by-external-id/sql')).status, 200)
    const text = `update designs set external_id = 'sql-2' where id = $1`
    await app.db.query({ name: 'test.update', text, values: [row.id] })
    await app.cache.invalidate([])
    t.equal((await user.get('/api/designs/by-external-id/sql')).status, 404)
    t.equal((await user.get('/api/designs/by-external-id/sql-2')).body.id, row.id)
  })

  t.test('metadata is any object of bounded size, and comes back as it was', async (t) => {
    const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) })
    const metadata = {
      sku: 'A-1',
      listing: { etsy: 1, nested: [1, 2.5, -0.1, 1e308, null, true, 'ü\u{1F98A}'] },
      ' ': '',
      a: '',
    }
    const { body: row } = await user.post('/api/designs', { ...BODIES.designs, metadata })
    t.same((await user.get(`/api/designs/${row.id}`)).body.metadata, metadata)
    t.equal(JSON.stringify(row.metadata), JSON.stringify(metadata), 'in the same order')
    for (const refused of [[], 'text', 1, { a: 'x'.repeat(16_384) }, deep(16)]) {
      const answer = await user.patch(`/api/designs/${row.id}`, { metadata: refused })
      t.match(answer, { status: 400, body: { message: /metadata must be/ } })
    }
    t.equal((await user.patch(`/api/designs/${row.id}`, { metadata: { a: 'x'.repeat(16_384 - 8) } })).status, 200)
    t.equal((await user.patch(`/api/designs/${row.id}`, { metadata: deep(15) })).status, 200)
    t.match(await user.patch(`/api/designs/${row.id}`, { metadata: null }), { status: 200, body: { metadata: null } })
  })
})
