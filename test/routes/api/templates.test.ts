import t from 'tap'
import { rowEtag } from '../../../services/documents/etag.js'
import { startService } from '../../helpers/app.js'

const TEMPLATE = { name: 'Mug', title: '{design_name} mug', platform: 'etsy', product_type: 'mug' }
const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }

t.test('templates', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()
  const stranger = await newUser()

  t.test('keep a price in whole cents', async (t) => {
    const price = { cents: 1999, currency: 'EUR' }
    const { status, body } = await user.post('/api/templates', { ...TEMPLATE, price, tags: ['a'] })
    t.equal(status, 201)
    t.match(body, { ...TEMPLATE, price, tags: ['a'], description: null, is_active: true, version: 1 })
    const url = `/api/templates/${body.id}`
    t.same((await user.get(url)).body, body)
    t.match(
      (await user.patch(url, { name: 'Cup' })).body,
      { name: 'Cup', price },
      'a change of something else keeps it',
    )
    t.match((await user.patch(url, { price: null })).body, { price: null, version: 3 })
    t.match((await user.get(url)).body, { price: null })
    for (const other of [
      { cents: 0, currency: 'USD' },
      { cents: 3_000_000_000, currency: 'JPY' },
      { cents: Number.MAX_SAFE_INTEGER, currency: 'KWD' },
    ]) {
      t.same((await user.patch(url, { price: other })).body.price, other)
      t.same((await user.get(url)).body.price, other)
    }
  })

  t.test('refuse a price that is not exact', async (t) => {
    const refused = [
      1999,
      '19.99',
      { cents: 19.5, currency: 'EUR' },
      { cents: -1, currency: 'EUR' },
      { cents: 1 },

      { cents: Number.MAX_SAFE_INTEGER + 1, currency: 'EUR' },
      { cents: 1, currency: 'eur' },
      { cents: 1, currency: 'EURO' },
      { cents: 1, currency: 'XTS' },
      { cents: 1, currency: 'QQQ' },

      { cents: '1', currency: 'EUR' },
      { cents: 1, currency: 'EUR', tax: 1 },
    ]
    for (const price of refused) {
      t.equal((await user.post('/api/templates', { ...TEMPLATE, price })).status, 400, JSON.stringify(price))
    }
  })

  t.test('can be narrowed by platform, product type and activity', async (t) => {
    const filtered = await newUser()
    const { body: poster } = await filtered.post('/api/templates', { ...TEMPLATE, product_type: 'poster' })
    const { body: shop } = await filtered.post('/api/templates', { ...TEMPLATE, platform: 'shopify', is_active: false })
    const ids = async (query: string) =>
      (await filtered.get(`/api/templates?${query}`)).body.items.map(({ id }: { id: string }) => id)
    t.same(await ids('product_type=poster'), [poster.id])
    t.same(await ids('platform=shopify'), [shop.id])
    t.same(await ids('is_active=false'), [shop.id])
    t.same(await ids('limit=100'), [shop.id, poster.id])
    t.same(await ids(`ids=${poster.id},${shop.id}`), [poster.id, shop.id])
    t.equal((await filtered.get('/api/templates?template_id=a')).status, 400, 'a filter of another domain')
  })

  t.test('of somebody else are 404', async (t) => {
    const { body } = await user.post('/api/templates', TEMPLATE)
    const url = `/api/templates/${body.id}`
    t.equal((await stranger.get(url)).status, 404)
    t.equal((await stranger.patch(url, { name: 'x' })).status, 404)
    t.equal((await stranger.delete(url)).status, 404)
  })

  t.test('that mockups use can not be deleted: 409 that says which', async (t) => {
    const { body: template } = await user.post('/api/templates', TEMPLATE)
    const { body: mockup } = await user.post('/api/mockups', { name: 'm', template_id: template.id })
    const refused = await user.delete(`/api/templates/${template.id}`)
    t.match(refused, { status: 409, body: { code: 'TEMPLATE_IN_USE', message: new RegExp(mockup.id) } })
    t.equal((await user.get(`/api/templates/${template.id}`)).status, 200)
    await user.delete(`/api/mockups/${mockup.id}`)
    t.equal((await user.delete(`/api/templates/${template.id}`)).status, 204)
    t.equal((await user.get(`/api/templates/${template.id}`)).status, 404)
  })

  t.test('that are deleted leave the designs that name them, in a new version', async (t) => {
    const { body: mug } = await user.post('/api/templates', TEMPLATE)
    const { body: cup } = await user.post('/api/templates', TEMPLATE)
    const { body: both } = await user.post('/api/designs', { ...DESIGN, template_ids: [mug.id, cup.id] })
    const { body: one } = await user.post('/api/designs', { ...DESIGN, template_ids: [cup.id] })
    for (const url of [`/api/designs/${both.id}`, `/api/designs/${one.id}`, '/api/designs']) await user.get(url)
    t.equal((await user.delete(`/api/templates/${mug.id}`)).status, 204)

    const read = await user.get(`/api/designs/${both.id}`)
    t.match(read, { body: { template_ids: [cup.id], version: 2 }, headers: { etag: rowEtag(both.id, 2) } })
    t.match((await user.get('/api/designs')).body.items, [{ version: 1 }, { template_ids: [cup.id], version: 2 }])
    t.match((await user.get(`/api/designs/${one.id}`)).headers['cache-status'], 'hit', 'the others are not touched')
    t.equal(
      (await user.patch(`/api/designs/${both.id}`, { filename: 'x' }, { 'if-match': rowEtag(both.id, 1) })).status,
      412,
    )
  })
})
