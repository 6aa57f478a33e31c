import t from 'tap'
import { startService, type UserCaller } from '../helpers/app.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }

const LISTS = [
  '?limit=2',
  '?sort=created&total=true',
  '?sort=name',
  '?sort=-name&limit=2',
  '?sort=-updated',
  '?platform=etsy',
  '?updated_since=2001-01-01T00:00:00Z',
  '?any_tag=red,blue&total=true',
  '?q=fox',
  '?q=owl&sort=name',
  '?external_id=one',
  '?is_active=true',
  '?platform=shopify&is_active=true&sort=updated',
  '?template_id={template}&tag=red',
].map((query) => `/api/designs${query}`)
const OTHERS = [
  ...['', '?sort=-price&limit=1', '?q=cup'].map((query) => `/api/templates${query}`),
  ...['', '?template_id={template}', '?design_id={design}'].map((query) => `/api/mockups${query}`),
]

t.test('whatever is changed, by whomever: every list is what a service without a cache answers', async (t) => {
  const postgres = await sharedPostgres(t)
  const env = { DATABASE_URL: await postgres.serviceDatabase() }
  const { app, newUser } = await startService(t, { env })
  const plain = await startService(t, { env: { ...env, ENABLE_CACHING: 'false' } })
  const [user, stranger] = [await newUser(), await newUser()]
  const made = async (url: string, body: object, by = user): Promise<string> => (await by.post(url, body)).body.id
  const template = await made('/api/templates', TEMPLATE)
  const cup = await made('/api/templates', { ...TEMPLATE, name: 'cup', price: { cents: 100, currency: 'EUR' } })
  const [fox, owl, bear] = [
    await made('/api/designs', { ...DESIGN, tags: ['red'], template_ids: [template, cup] }),
    await made('/api/designs', { ...DESIGN, filename: 'owl.png', platform: 'shopify', template_ids: [cup] }),
    await made('/api/designs', { ...DESIGN, filename: 'bear.png', external_id: 'one', is_active: false }),
  ]
  const mockup = await made('/api/mockups', { name: 'front', template_id: template, design_id: fox })
  await made('/api/designs', { ...DESIGN, filename: 'of another.png' }, stranger)
  const urls = [...LISTS, ...OTHERS].map((url) => url.replace('{template}', cup).replace('{design}', fox))

  const settle = () => app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
  const sql = async (text: string, values: readonly unknown[] = []): Promise<void> => {
    await app.db.query({ name: 'test', text, values })
    await settle()
  }
  const isAlike = async (by: UserCaller): Promise<void> => {
    const headers = { authorization: `Bearer ${by.token}` }
    const unlike: string[] = []
    for (const url of urls) {
      const [cached, read] = await Promise.all([by.get(url), plain.anonymous.get(url, headers)])
      const isAlike = cached.text === read.text && cached.headers['etag'] === read.headers['etag']
      if (!isAlike || cached.status !== 200)
        unlike.push(
          `${url}: ${cached.status} ${cached.text.slice(0, 300)}, but ${read.status} ${read.text.slice(0, 300)}`,
        )
    }
    t.same(unlike, [])
  }
  const changes: Record<string, () => Promise<unknown>> = {
    'nothing yet': async () => {},
    'a description': () => user.patch(`/api/designs/${fox}`, { description: 'an owl' }),
    'what a list is sorted by': () => user.patch(`/api/designs/${owl}`, { filename: 'a.png' }),
    'what lists are narrowed by': () => user.patch(`/api/designs/${owl}`, { platform: 'etsy', tags: ['Blue'] }),
    'a flag': () => user.patch(`/api/designs/${bear}`, { is_active: true }),
    'a field that decides about nothing': () => user.patch(`/api/designs/${bear}`, { is_digital: false }),
    'a price': () => user.patch(`/api/templates/${template}`, { price: { cents: 50, currency: 'EUR' } }),
    'a key of one’s own': () => user.patch(`/api/designs/${fox}`, { external_id: 'two' }),
    'and its place': () => user.put(`/api/designs/by-external-id/one`, { ...DESIGN, filename: 'one.png' }),
    'a new row': () => user.post('/api/designs', { ...DESIGN, tags: ['RED'], template_ids: [cup] }),
    'a row that is gone': () => user.delete(`/api/designs/${owl}`),
    'a template that is forgotten by the designs that name it': () => user.delete(`/api/templates/${cup}`),
    'many at once': () =>
      user.post('/api/designs/bulk', {
        operations: [
          { op: 'update', id: fox, row: { tags: ['blue'] } },
          { op: 'create', row: { ...DESIGN, filename: 'bulk.png' } },
          { op: 'delete', id: bear },
        ],
      }),
    'an import': () => app.designs.createMissing(user.id, [{ ...DESIGN, filename: 'imported.png', platform: 'etsy' }]),
    'SQL of somebody else’s': () => sql(`update designs set filename = 'zz' || filename, is_active = not is_active`),
    'SQL that changes one text': () => sql(`update designs set description = 'fox' where id = $1`, [fox]),
    'SQL that gives a row to another user': () =>
      sql(`update designs set user_id = $2 where id = $1`, [fox, stranger.id]),
    'and takes it back': () => sql(`update designs set user_id = $2 where id = $1`, [fox, user.id]),
    'SQL that gives a row another id': () =>
      sql(`update designs set id = '01a2069f-4382-76fe-94e2-50d41d9cb575' where filename = 'zzbulk.png'`),
    'SQL that makes many rows': () =>
      sql(
        `insert into designs (user_id, filename, file_path, platform)
           select $1::uuid, n || '.png', '/x', 'etsy' from generate_series(1, 60) n`,
        [user.id],
      ),
    'SQL that changes many rows': () => sql(`update designs set tags = '{red}' where filename like '%5%'`),
    'a table that is emptied': () => sql('truncate mockups'),
  }
  t.ok(mockup)
  for (const [name, change] of Object.entries(changes)) {
    await t.test(name, async (t) => {
      const changed = await change()
      if (typeof changed === 'object' && changed !== null && 'status' in changed) t.ok(Number(changed.status) < 300)
      await isAlike(user)
      if (name.startsWith('SQL')) await isAlike(stranger)
    })
  }
})
