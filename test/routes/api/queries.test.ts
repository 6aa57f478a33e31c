import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Answer, startService, type UserCaller } from '../../helpers/app.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy', external_id: 'one' }
const ID = '0190d3c6-0000-7000-8000-000000000000'

/** What asks it may put anything behind its path: a 400 there would take a replica that is well out of service. */
const TAKES_ANY = ['GET /api/cache/health']

const { app, admin, newUser } = await startService(t)
const user = await newUser()
const { body: design } = await user.post('/api/designs', DESIGN)

const refused = (name: string) => ({
  status: 400,
  body: { code: 'INVALID_REQUEST', message: `query: ${name} is not a known field` },
})
const isUnknown = ({ status, body }: Answer): boolean => status === 400 && body.message.startsWith('query: nobody is')
const count = async (): Promise<number> => (await user.get('/api/designs?total=true')).body.total

t.test('every route of the API refuses a field of the query that it does not know', async (t) => {
  const routes = app.apiRoutes().filter(({ url }) => url.startsWith('/api/'))
  t.ok(routes.length > 30)
  const lenient: string[] = []
  for (const { method, url, schema } of routes) {
    const path = url.replace(':user_id', user.id).replace(':external_id', 'one').replaceAll(/:\w+/g, ID)
    // The body is judged first.
    const payload = schema.body === undefined ? undefined : bodyFor(method, url)
    const send = (query: string): Promise<Answer> =>
      callerOf(url).send({ method: method as 'GET', url: `${path}?${query}`, ...(payload && { payload }) })
    // A stream that is not refused has no end.
    const patience = new AbortController()
    const answer = await Promise.race([send('nobody=1'), sleep(10_000, undefined, { signal: patience.signal })])
    patience.abort()
    if (answer === undefined || !isUnknown(answer)) lenient.push(`${method} ${url}`)
    if (method === 'GET' && !/\/(live|export)$/.test(url))
      t.notOk(isUnknown(await send('_=1')), `${url}: a cache buster`)
  }
  t.same(lenient, TAKES_ANY)
})

function callerOf(url: string): UserCaller | typeof admin {
  return /^\/api\/(cache|users\/?$|users\/:user_id$)/.test(url) ? admin : user
}

function bodyFor(method: string, url: string): object {
  if (url.includes('/bulk')) return { operations: [{ op: 'delete', external_id: 'none' }] }
  if (url.includes('/tokens')) return { name: 'one' }
  if (url.includes('/users')) return method === 'POST' ? { email: 'a@example.com', shop_name: 'a' } : { shop_name: 'a' }
  if (method === 'PATCH') return { metadata: {} }
  if (url.includes('/templates')) return { name: 'a', title: 'a', platform: 'etsy', product_type: 'a' }
  return url.includes('/mockups') ? { name: 'a', template_id: ID } : { ...DESIGN, external_id: 'one' }
}

t.test('nothing is done, and nothing is read, of what a query asked for in vain', async (t) => {
  const path = `/api/designs/${design.id}`
  t.match(await user.get('/api/designs/export?q=fox'), refused('q'))
  t.match(await user.send({ method: 'HEAD', url: '/api/designs/export?q=fox' }), { status: 400 })
  t.match(await user.send({ method: 'HEAD', url: `${path}?fields=id` }), { status: 400 })
  t.match(await user.get('/api/designs/by-external-id/one?fields=id'), refused('fields'))
  t.match(await user.get('/api/users/me?x=1&x=2'), refused('x'))
  t.match(await user.patch(`${path}?version=9`, { description: 'changed' }), refused('version'))
  t.match(await user.delete(`${path}?if_match=1`), refused('if_match'))
  t.match(await user.post('/api/designs?dry=1', { ...DESIGN, external_id: 'two' }), refused('dry'))
  const operations = [{ op: 'create', row: { ...DESIGN, external_id: 'three' } }, { op: 'create' }]
  t.match(await user.post('/api/designs/bulk?atomic=true', { operations }), refused('atomic'))
  t.match(await admin.post(`/api/cache/clear?user_id=${user.id}`, {}), refused('user_id'))
  t.match((await user.get(path)).body, { version: 1, description: design.description })
  t.equal(await count(), 1)
})

t.test('a long name is not repeated at its length, and one in brackets is told how lists are written', async (t) => {
  t.ok((await user.get(`/api/users/me?${'x'.repeat(5_000)}=1`)).body.message.length < 200)
  t.match((await user.get('/api/users/me?ids[]=1')).body.message, /ids=a,b$/)
  t.equal((await user.get('/api/users/me?')).status, 200)
})

t.test('pages, the document of the API and the health check take any query', async (t) => {
  for (const url of ['/docs', '/docs/page.css', '/dashboard', '/openapi.json', '/api/cache/health'])
    t.equal((await app.inject(`${url}?v=1&v=2&x=%00`)).statusCode, 200, url)
})
