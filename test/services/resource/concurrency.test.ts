import t, { type Test } from 'tap'
import { rowEtag } from '../../../services/documents/etag.js'
import type { TestService } from '../../helpers/app.js'
import { onBothDatabases } from '../../helpers/both-databases.js'

const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }

onBothDatabases(t, suite)

function countOf(answers: readonly { readonly status: number }[], status: number): number {
  return answers.filter((answer) => answer.status === status).length
}

async function suite(t: Test, { newUser, admin }: TestService): Promise<void> {
  const user = await newUser()
  const newTemplate = async (): Promise<string> => (await user.post('/api/templates', TEMPLATE)).body.id

  t.test('of twenty changes under one If-Match exactly one wins', async (t) => {
    const { body } = await user.post('/api/designs', DESIGN)
    const url = `/api/designs/${body.id}`
    const writes = Array.from({ length: 20 }, (_, n) =>
      user.patch(url, { filename: `${n}.png` }, { 'if-match': rowEtag(body.id, 1) }),
    )
    const answers = await Promise.all(writes)
    t.equal(countOf(answers, 200), 1)
    t.equal(countOf(answers, 412), 19)
    const winner = answers.find(({ status }) => status === 200)
    t.equal((await user.get(url)).text, winner?.text)
  })

  t.test('twenty changes without If-Match all happen, one after the other', async (t) => {
    const { body } = await user.post('/api/designs', DESIGN)
    const url = `/api/designs/${body.id}`
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => user.patch(url, { filename: `${n}.png` })))
    const versions = answers.map((answer) => answer.body.version).sort((a, b) => a - b)
    t.same(
      versions,
      Array.from({ length: 20 }, (_, n) => n + 2),
    )
    t.equal((await user.get(url)).body.version, 21)
  })

  t.test('a deleted template leaves no reference, whoever names it at the same time', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const template = await newTemplate()
      const named = { ...DESIGN, template_ids: [template] }
      const { body: before } = await user.post('/api/designs', named)
      const [deleted, ...others] = await Promise.all([
        user.delete(`/api/templates/${template}`),
        ...Array.from({ length: 4 }, () => user.post('/api/designs', named)),
        ...Array.from({ length: 4 }, () => user.patch(`/api/designs/${before.id}`, { template_ids: [template] })),
      ])
      t.equal(deleted?.status, 204)
      t.equal(countOf(others, 201) + countOf(others, 200) + countOf(others, 422), 8, 'nothing else happens')
      t.same((await user.get(`/api/designs?template_id=${template}`)).body.items, [])
    }
  })

  t.test('a template is either deleted or gets a mockup', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const template = await newTemplate()
      const mockup = { name: 'm', template_id: template }
      const [deleted, ...made] = await Promise.all([
        user.delete(`/api/templates/${template}`),
        ...Array.from({ length: 4 }, () => user.post('/api/mockups', mockup)),
      ])
      const mockups = (await user.get(`/api/mockups?template_id=${template}`)).body.items.length
      t.equal(mockups, countOf(made, 201))
      if (deleted?.status === 204) t.equal(countOf(made, 422), 4)
      else t.match({ deleted: deleted?.status, hasMockups: mockups > 0 }, { deleted: 409, hasMockups: true })
    }
  })

  t.test('templates that share designs can be deleted at the same time', async (t) => {
    const templates = await Promise.all(Array.from({ length: 6 }, newTemplate))
    for (let n = 0; n < 12; n += 1) await user.post('/api/designs', { ...DESIGN, template_ids: templates })
    const answers = await Promise.all(templates.map((id) => user.delete(`/api/templates/${id}`)))
    t.equal(countOf(answers, 204), 6)
    const { body } = await user.get('/api/designs?limit=12')
    t.same(
      body.items.map((item: { template_ids: string[]; version: number }) => [item.template_ids, item.version]),
      Array.from({ length: 12 }, () => [[], 7]),
    )
  })

  t.test('a user can be deleted while they write', async (t) => {
    const leaving = await newUser()
    const { body: template } = await leaving.post('/api/templates', TEMPLATE)
    const { body: design } = await leaving.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
    const [deleted, ...others] = await Promise.all([
      admin.delete(`/api/users/${leaving.id}`),
      leaving.post('/api/designs', DESIGN),
      leaving.post('/api/mockups', { name: 'm', template_id: template.id, design_id: design.id }),
      leaving.patch(`/api/designs/${design.id}`, { filename: 'b' }),
      leaving.delete(`/api/templates/${template.id}`),
      admin.post(`/api/users/${leaving.id}/tokens`, { name: 'late' }),
      leaving.post('/api/templates', TEMPLATE),
    ])
    t.equal(deleted?.status, 204)
    t.ok(
      others.every(({ status }) => status < 500),
      'nothing breaks',
    )
    t.equal((await leaving.get('/api/designs')).status, 401)
  })
}
