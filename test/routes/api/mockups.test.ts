import t from 'tap'
import { rowEtag } from '../../../services/documents/etag.js'
import { startService } from '../../helpers/app.js'

const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('mockups', async (t) => {
  const { newUser } = await startService(t)
  const user = await newUser()
  const stranger = await newUser()
  const { body: template } = await user.post('/api/templates', TEMPLATE)
  const { body: design } = await user.post('/api/designs', DESIGN)
  const { body: foreignTemplate } = await stranger.post('/api/templates', TEMPLATE)
  const { body: foreignDesign } = await stranger.post('/api/designs', DESIGN)
  const minimal = { name: 'Front', template_id: template.id }

  t.test('start at 100 with no images and no design', async (t) => {
    const { status, body, headers } = await user.post('/api/mockups', minimal)
    t.equal(status, 201)
    t.equal(headers['location'], `mockups/${body.id}`)
    t.match(body, { ...minimal, design_id: null, starting_name: 100, images: [], version: 1 })
  })

  t.test('keep their images as they are', async (t) => {
    const images = [
      { filename: 'a "quoted" \\ name.png', file_path: '/a.png' },
      {
        filename: 'ü👍.png',
        file_path: '/b.png',
        watermark_path: '/w.png',
        image_type: 'front',
        masks: [
          [
            [0, 0.5],
            [1e3, -2],
          ],
        ],
      },
    ]
    const { body } = await user.post('/api/mockups', { ...minimal, design_id: design.id, starting_name: 7, images })
    t.match(body, { images, design_id: design.id, starting_name: 7 })
    t.same((await user.get(`/api/mockups/${body.id}`)).body.images, images)
    const changed = await user.patch(`/api/mockups/${body.id}`, { images: images.slice(1), design_id: null })
    t.match(changed.body, { images: images.slice(1), design_id: null, starting_name: 7, version: 2 })
    t.equal(changed.body.images.length, 1)
  })

  t.test('refuse images that are not exactly right', async (t) => {
    const image = { filename: 'a', file_path: '/a' }
    const refused = [
      {},
      [{}],
      [{ ...image, colour: 1 }],
      [{ ...image, masks: [[[1]]] }],
      [{ ...image, masks: [[['1', 2]]] }],

      [{ ...image, filename: 'a\0' }],
      [{ ...image, filename: '\udc00' }],
      Array.from({ length: 101 }, () => image),
    ]
    for (const images of refused) t.equal((await user.post('/api/mockups', { ...minimal, images })).status, 400)
    t.equal((await user.post('/api/mockups', { ...minimal, starting_name: 1.5 })).status, 400)
    t.equal((await user.post('/api/mockups', { ...minimal, starting_name: 2 ** 31 })).status, 400)
    t.equal((await user.post('/api/mockups', { name: 'no template' })).status, 400)
  })

  t.test('refer to the user’s own rows only: 422 otherwise', async (t) => {
    const { body: own } = await user.post('/api/mockups', minimal)
    const refused = [
      { template_id: foreignTemplate.id },
      { template_id: UNKNOWN_ID },
      { template_id: design.id },
      { design_id: foreignDesign.id },
      { design_id: UNKNOWN_ID },
    ]
    for (const reference of refused) {
      const [[field, id] = ['', '']] = Object.entries(reference)
      const expected = { status: 422, body: { code: 'INVALID_REFERENCE', message: new RegExp(`${field}.*${id}`) } }
      t.match(await user.post('/api/mockups', { ...minimal, ...reference }), expected)
      t.match(await user.patch(`/api/mockups/${own.id}`, reference), expected)
    }
    t.equal((await user.get(`/api/mockups/${own.id}`)).body.version, 1)
    t.equal(
      (await user.patch(`/api/mockups/${own.id}`, { design_id: design.id.toUpperCase() })).body.design_id,
      design.id,
    )
    t.equal((await user.patch(`/api/mockups/${own.id}`, { template_id: null })).status, 400)
  })

  t.test('can be narrowed by template and design', async (t) => {
    const { body: cup } = await user.post('/api/templates', TEMPLATE)
    const { body: shown } = await user.post('/api/designs', DESIGN)
    const { body: a } = await user.post('/api/mockups', { name: 'a', template_id: cup.id })
    const { body: b } = await user.post('/api/mockups', { name: 'b', template_id: cup.id, design_id: shown.id })
    const ids = async (query: string) =>
      (await user.get(`/api/mockups?${query}`)).body.items.map(({ id }: { id: string }) => id)
    t.same(await ids(`template_id=${cup.id}`), [b.id, a.id])
    t.same(await ids(`design_id=${shown.id}`), [b.id])
    t.same(await ids(`design_id=${foreignDesign.id}`), [])
    t.same(await ids(`ids=${a.id},${b.id}`), [a.id, b.id])
  })

  t.test('of somebody else are 404', async (t) => {
    const { body } = await user.post('/api/mockups', minimal)
    const url = `/api/mockups/${body.id}`
    t.equal((await stranger.get(url)).status, 404)
    t.equal((await stranger.patch(url, { name: 'x' })).status, 404)
    t.equal((await stranger.delete(url)).status, 404)
    t.equal((await user.delete(url)).status, 204)
  })

  t.test('lose a design that is deleted, in a new version', async (t) => {
    const { body: shown } = await user.post('/api/designs', DESIGN)
    const { body: mockup } = await user.post('/api/mockups', { ...minimal, design_id: shown.id })
    const list = `/api/mockups?design_id=${shown.id}`
    for (const url of [`/api/mockups/${mockup.id}`, list]) await user.get(url)
    t.equal((await user.delete(`/api/designs/${shown.id}`)).status, 204)
    const read = await user.get(`/api/mockups/${mockup.id}`)
    t.match(read, { body: { design_id: null, version: 2 }, headers: { etag: rowEtag(mockup.id, 2) } })
    t.same((await user.get(list)).body.items, [])
  })
})
