import t from 'tap'
import { startService } from '../../helpers/app.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

t.test('what says nothing is taken as nothing', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()

  await t.test('an empty text and null clear an optional text', async (t) => {
    for (const nothing of ['', null]) {
      const { body: row } = await user.post('/api/designs', { ...DESIGN, description: nothing, external_id: nothing })
      t.match(row, { description: null, external_id: null })
      await user.patch(`/api/designs/${row.id}`, { description: 'x', external_id: 'x' })
      const cleared = await user.patch(`/api/designs/${row.id}`, { description: nothing, external_id: nothing })
      t.match(cleared, { status: 200, body: { description: null, external_id: null, version: 3 } })
      t.equal((await user.patch(`/api/designs/${row.id}`, { description: nothing })).body.version, 3)
    }
  })

  await t.test('null for a list or a flag is its default', async (t) => {
    const nulls = { tags: null, template_ids: null, is_active: null, is_digital: null, metadata: null }
    const defaults = { tags: [], template_ids: [], is_active: true, is_digital: false, metadata: null }
    const { body: row } = await user.post('/api/designs', { ...DESIGN, ...nulls })
    t.match(row, defaults)
    const others = { tags: ['a'], is_active: false, is_digital: true, metadata: { a: 1 } }
    t.match((await user.patch(`/api/designs/${row.id}`, others)).body, others)
    t.match((await user.patch(`/api/designs/${row.id}`, nulls)).body, { ...defaults, version: 3 })
    t.match((await user.patch(`/api/designs/${row.id}`, nulls)).body, { ...defaults, version: 3 }, 'nothing to write')
    t.match((await user.put(`/api/designs/${row.id}`, { ...DESIGN, ...nulls })).body, { ...defaults, version: 3 })

    const { body: template } = await user.post('/api/templates', { ...TEMPLATE, price: null, tags: null })
    t.match(template, { price: null, tags: [] })
    const mockup = { name: 'm', template_id: template.id, design_id: null, starting_name: null, images: null }
    t.match((await user.post('/api/mockups', mockup)).body, { design_id: null, starting_name: 100, images: [] })
  })

  await t.test('blank tags are dropped, and others stay as they are', async (t) => {
    const tags = ['', ' a ', ' \t\u00a0', 'b']
    const { body: row } = await user.post('/api/designs', { ...DESIGN, tags })
    t.same(row.tags, [' a ', 'b'])
    t.same((await user.patch(`/api/designs/${row.id}`, { tags: [''] })).body.tags, [])
    t.equal((await user.patch(`/api/designs/${row.id}`, { tags: [null] })).status, 400)
  })

  await t.test('also inside of what is inside', async (t) => {
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const image = { filename: 'a', file_path: '/a', watermark_path: '', image_type: null, masks: null }
    const made = await user.post('/api/mockups', { name: 'm', template_id: template.id, images: [image] })
    t.match(made.status, 201)
    t.same(made.body.images, [{ filename: 'a', file_path: '/a' }])
  })

  await t.test('nothing else is: a needed field, an object of the caller’s own, another type', async (t) => {
    for (const body of [
      { ...DESIGN, filename: '' },
      { ...DESIGN, filename: null },
      { ...DESIGN, tags: '' },
    ]) {
      t.equal((await user.post('/api/designs', body)).status, 400, JSON.stringify(body))
    }
    const metadata = { empty: '', nothing: null, list: ['', null] }
    t.same((await user.post('/api/designs', { ...DESIGN, metadata })).body.metadata, metadata)
    t.equal((await user.post('/api/designs', { ...DESIGN, is_active: '' })).status, 400)
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    t.equal((await user.patch(`/api/templates/${template.id}`, { name: null })).status, 400)
  })

  await t.test('any platform, and paths as long as a URL', async (t) => {
    for (const platform of ['amazon', 'tiktok-shop', 'woo_commerce', '3d']) {
      const { body: row } = await user.post('/api/designs', { ...DESIGN, platform })
      t.equal((await user.get(`/api/designs?platform=${platform}`)).body.items[0].id, row.id)
    }
    for (const platform of ['', 'Amazon', 'a b', '-a', 'a'.repeat(51), null]) {
      t.equal((await user.post('/api/designs', { ...DESIGN, platform })).status, 400, JSON.stringify(platform))
    }
    t.equal((await user.post('/api/designs', { ...DESIGN, file_path: 'x'.repeat(2_048) })).status, 201)
    t.equal((await user.post('/api/designs', { ...DESIGN, file_path: 'x'.repeat(2_049) })).status, 400)
  })
})
