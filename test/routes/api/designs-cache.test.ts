import t from 'tap'
import { rowEtag } from '../../../services/documents/etag.js'
import { startService } from '../../helpers/app.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const MISS = 'roundhouse; fwd=miss; stored'
const HIT = /^roundhouse; hit; ttl=\d+; detail=memory$/

t.test('what is cached of a user', async (t) => {
  const { newUser, admin } = await startService(t)
  const user = await newUser()
  const status = async (url: string) => (await user.get(url)).headers['cache-status']
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const { body: design } = await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
  const { body: mockup } = await user.post('/api/mockups', {
    name: 'm',
    template_id: template.id,
    design_id: design.id,
  })
  const { body: other } = await user.post('/api/designs', DESIGN)
  const urls = {
    template: `/api/templates/${template.id}`,
    design: `/api/designs/${design.id}`,
    other: `/api/designs/${other.id}`,
    mockup: `/api/mockups/${mockup.id}`,
    templates: '/api/templates',
    designs: '/api/designs',
    mockups: '/api/mockups',
  }
  const warm = async () => {
    for (const url of Object.values(urls)) await user.get(url)
  }
  /** The names of those that are read from the database again. */
  const missing = async () => {
    const names: string[] = []
    for (const [name, url] of Object.entries(urls)) if ((await status(url)) === MISS) names.push(name)
    return names
  }

  t.test('a read is a miss, then a hit; after a write a miss with the new value', async (t) => {
    t.equal(await status(urls.design), MISS)
    t.match(await status(urls.design), HIT)
    await user.patch(urls.design, { filename: 'b.png' })
    const read = await user.get(urls.design)
    t.equal(read.headers['cache-status'], MISS)
    t.equal(read.body.filename, 'b.png')
    t.match(await status(urls.design), HIT)
  })

  t.test('that there is no such row is cached too, and a 404 says so', async (t) => {
    const nowhere = '/api/designs/01a2069f-0000-7000-8000-000000000000'
    t.match(await user.get(nowhere), { status: 404, headers: { 'cache-status': MISS } })
    t.match(await user.get(nowhere), { status: 404, headers: { 'cache-status': HIT } })
  })

  t.test(
    'a design that changes takes its mockups with it, and no list but those that this decides about',
    async (t) => {
      await warm()
      const byName = '/api/designs?sort=name'
      await user.get(byName)
      await user.patch(urls.design, { filename: 'c.png' })
      t.same(await missing(), ['design', 'mockup'])
      t.equal((await user.get(urls.designs)).body.items[1].filename, 'c.png')
      t.equal(await status(byName), MISS)
      await user.patch(urls.design, { description: 'x' })
      t.match(await user.get(urls.designs), {
        headers: { 'cache-status': MISS },
        body: { items: [{}, { description: 'x' }] },
      })
      t.match(await status(urls.design), HIT, 'which the list has loaded')
      t.match(await status(urls.designs), HIT)
    },
  )

  t.test('a template that changes takes the designs and mockups that name it with it', async (t) => {
    await warm()
    await user.patch(urls.template, { name: 'Cup' })
    t.same(await missing(), ['template', 'design', 'mockup'])
  })

  t.test('a mockup that changes takes nothing else with it', async (t) => {
    await warm()
    await user.patch(urls.mockup, { name: 'n' })
    t.same(await missing(), ['mockup'])
  })

  t.test('a new row takes the lists of its domain with it', async (t) => {
    await warm()
    await user.post('/api/designs', DESIGN)
    t.same(await missing(), ['designs'])
  })

  t.test('a refused write takes nothing', async (t) => {
    await warm()
    await user.patch(urls.design, { filename: 'd.png' }, { 'if-match': rowEtag(design.id, 2) })
    await user.patch(urls.design, { template_ids: [design.id] })
    await user.delete(urls.template)
    t.same(await missing(), [])
  })

  t.test('a user who changes takes none of it', async (t) => {
    await warm()
    await admin.patch(`/api/users/${user.id}`, { shop_name: 'Another name' })
    t.same(await missing(), [])
  })
})

t.test('without caching every read goes to the database and says so', async (t) => {
  const { newUser } = await startService(t, { env: { ENABLE_CACHING: 'false' } })
  const user = await newUser()
  const { body } = await user.post('/api/designs', DESIGN)
  for (const url of [`/api/designs/${body.id}`, '/api/designs', `/api/designs?ids=${body.id}`]) {
    const read = await user.get(url)
    t.match(read, { status: 200, headers: { 'cache-status': 'roundhouse; fwd=bypass', etag: /^"/ } }, url)
  }
})
