import t from 'tap'
import { startService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const BODIES = {
  templates: { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' },
  designs: { filename: 'a.png', file_path: '/a.png', platform: 'etsy' },
}
const FULL = {
  templates: { description: 'x', tags: ['a'], price: { cents: 5, currency: 'EUR' }, is_active: false },
  designs: { description: 'x', tags: ['a'], is_active: false, is_digital: true },
  mockups: { starting_name: 7, images: [{ filename: 'a', file_path: '/a' }] },
}

t.test('rows are replaced whole', async (t) => {
  const { newUser, app } = await startService(t)
  const [user, stranger] = [await newUser(), await newUser()]
  const { body: template } = await user.post('/api/templates', BODIES.templates)
  const bodies = { ...BODIES, mockups: { name: 'Mug with fox', template_id: template.id } }

  for (const [resource, body] of Object.entries(bodies)) {
    const at = (externalId: string): string => `/api/${resource}/by-external-id/${encodeURIComponent(externalId)}`
    const full = { ...body, ...FULL[resource as keyof typeof FULL], metadata: { a: 1 } }
    const { body: plain } = await user.post(`/api/${resource}`, body)
    const fields = (row: object): object => ({
      ...row,
      id: '',
      version: 0,
      created_at: '',
      updated_at: '',
      external_id: null,
    })

    t.test(`${resource}: made by external_id, then replaced`, async (t) => {
      t.equal((await user.get(at('one'))).status, 404)
      const made = await user.put(at('one'), full)
      t.match(made, { status: 201, body: { ...full, external_id: 'one', version: 1 } })
      const { pathname } = new URL(made.headers['location'] ?? '', `http://x${at('one')}`)
      t.equal(pathname, `/api/${resource}/${made.body.id}`)
      t.same((await user.get(at('one'))).body, made.body, 'the miss is forgotten')
      t.equal((await stranger.get(at('one'))).status, 404)

      const replaced = await user.put(at('one'), { ...body, external_id: 'one' })
      t.match(replaced, { status: 200, body: { id: made.body.id, version: 2, external_id: 'one', metadata: null } })
      t.same(fields(replaced.body), fields(plain), 'what is left out has its default')
      t.same((await user.get(pathname)).body, replaced.body)
      t.same((await user.get(at('one'))).body, replaced.body)

      const again = await user.put(at('one'), body)
      t.match(again, { status: 200, body: { version: 2 } }, 'the same once more writes nothing')
      t.equal((await stranger.put(at('one'), body)).status, resource === 'mockups' ? 422 : 201, 'each for themselves')
      t.equal((await user.get(`/api/${resource}?limit=100`)).body.items.length, await count(resource))
      const whole = (await user.get(at('one'))).body
      t.match(await user.put(at('one'), whole), { status: 200, body: { version: 2 } }, 'as it was read')
    })

    t.test(`${resource}: under conditions`, async (t) => {
      const refused = { status: 412, body: { code: 'PRECONDITION_FAILED' } }
      for (const ifMatch of ['*', '"x"']) {
        t.match(await user.put(at('two'), body, { 'if-match': ifMatch }), refused, 'there is none to match')
      }
      const made = await user.put(at('two'), body, { 'if-none-match': '*' })
      t.equal(made.status, 201)
      t.match(await user.put(at('two'), full, { 'if-none-match': '*' }), refused)
      const etag = made.headers['etag'] ?? ''
      t.match(await user.put(at('two'), full, { 'if-match': etag }), { status: 200, body: { version: 2 } })
      t.match(await user.put(at('two'), body, { 'if-match': etag }), refused)
      t.match(await user.put(`/api/${resource}/${made.body.id}`, body, { 'if-match': etag }), refused)
      t.match(await user.delete(at('two'), { 'if-match': etag }), refused)
      t.match(await user.put(at('two'), { ...body, version: 1 }), { status: 400, body: { code: 'READ_ONLY_FIELD' } })
      t.match(await user.put(at('new'), { ...body, version: 1 }), { status: 400, body: { code: 'READ_ONLY_FIELD' } })
      t.match(await user.put(at('two'), { ...body, external_id: 'other' }), {
        status: 400,
        body: { message: /external_id/ },
      })
      for (const url of [at('two'), at('nobody'), `/api/${resource}/0190d3c6-0000-7000-8000-000000000000`]) {
        t.equal((await user.put(url, body, { 'if-match': 'no ETag' })).status, 400, url)
        t.equal((await user.put(url, body, { 'if-none-match': 'no ETag' })).status, 400, url)
        t.equal((await user.delete(url, { 'if-match': 'no ETag' })).status, 400, url)
      }
      t.equal((await user.put(at('two'), {})).status, 400)
    })

    t.test(`${resource}: by id`, async (t) => {
      const { body: row } = await user.post(`/api/${resource}`, { ...full, external_id: 'by-id' })
      const url = `/api/${resource}/${row.id}`
      await user.get(url)
      await user.get(at('by-id'))
      const replaced = await user.put(url, body)
      t.match(replaced, { status: 200, body: { id: row.id, version: 2, external_id: null, metadata: null } })
      t.same((await user.get(url)).body, replaced.body)
      t.equal((await user.get(at('by-id'))).status, 404, 'what is left out is gone')
      t.equal(
        (await user.put(url.toUpperCase().replace(`/API/${resource.toUpperCase()}`, `/api/${resource}`), full)).body
          .version,
        3,
      )
      t.equal((await stranger.put(url, body)).status, 404)
      t.equal((await user.put(`/api/${resource}/00000000-0000-7000-8000-000000000000`, body)).status, 404)
      await user.put(at('taken'), body)
      t.match(await user.put(url, { ...body, external_id: 'taken' }), {
        status: 409,
        body: { code: 'EXTERNAL_ID_TAKEN' },
      })
    })

    t.test(`${resource}: deleted by external_id`, async (t) => {
      const { body: row } = await user.put(at('gone'), body)
      await user.get(at('gone'))
      t.equal((await stranger.delete(at('gone'))).status, 404)
      const gone = await user.delete(at('gone'))
      t.match(gone, { status: 204, headers: { 'roundhouse-version': /./ } })
      t.equal((await user.get(at('gone'))).status, 404)
      t.equal((await user.get(`/api/${resource}/${row.id}`)).status, 404)
      t.equal((await user.delete(at('gone'))).status, 404)
    })
  }

  async function count(resource: string): Promise<number> {
    const text = `select count(*)::int as rows from ${resource} where user_id = $1`
    const [row] = await app.db.query<{ rows: number }>({ name: 'test.count', text, values: [user.id] })
    return row?.rows ?? -1
  }

  t.test('what is in use stays, and what it names must be there', async (t) => {
    const { body: used } = await user.put('/api/templates/by-external-id/used', BODIES.templates)
    const url = '/api/mockups/by-external-id/of-used'
    t.equal((await user.put(url, { name: 'm', template_id: used.id })).status, 201)
    t.match(await user.delete('/api/templates/by-external-id/used'), { status: 409, body: { code: 'TEMPLATE_IN_USE' } })
    const { body: foreign } = await stranger.post('/api/templates', BODIES.templates)
    const refused = { status: 422, body: { code: 'INVALID_REFERENCE' } }
    t.match(await user.put(url, { name: 'm', template_id: foreign.id }), refused)
    t.match(await user.put('/api/mockups/by-external-id/new', { name: 'm', template_id: foreign.id }), refused)
    t.equal((await user.get(url)).body.template_id, used.id)
  })
})

t.test('of many who make one at the same moment one makes it, and all of them wrote', async (t) => {
  const postgres = await sharedPostgres(t)
  const { newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const user = await newUser()
  const url = '/api/designs/by-external-id/raced'
  const put = (n: number) => user.put(url, { ...BODIES.designs, description: `${n}` })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => put(n)))
  t.same(
    answers.map(({ status }) => status).sort((a, b) => a - b),
    [...Array.from({ length: 19 }, () => 200), 201],
  )
  t.same(new Set(answers.map(({ body }) => body.version)).size, 20)
  t.equal((await user.get(url)).body.version, 20)
  const once = await Promise.all(
    Array.from({ length: 10 }, () => user.put(`${url}-once`, BODIES.designs, { 'if-none-match': '*' })),
  )
  t.same(
    once.map(({ status }) => status).sort((a, b) => a - b),
    [201, ...Array.from({ length: 9 }, () => 412)],
  )
})
