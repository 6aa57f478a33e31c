import t from 'tap'
import { startService } from '../../helpers/app.js'

const ID = '01a2069f-0000-7000-8000-000000000000'

t.test('paths and methods', async (t) => {
  const { anonymous, admin, newUser } = await startService(t)
  const user = await newUser()
  const ask = (method: string, url: string) => anonymous.send({ method: method as 'GET', url })

  t.test('a path that no route has is 404 for every method', async (t) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']) {
      for (const url of ['/nowhere', '/nowhere?x=1', '/api', '/api/designs/1/2', '/api/Designs']) {
        const { status, body } = await ask(method, url)
        t.equal(status, 404, `${method} ${url}`)
        if (method !== 'HEAD') t.equal(body.code, 'ROUTE_NOT_FOUND')
      }
    }
  })

  t.test('a method that a path does not have is 405 with those that it has', async (t) => {
    const row = 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'
    const user = 'GET, HEAD, PATCH, DELETE, OPTIONS'
    const list = 'GET, HEAD, POST, OPTIONS'
    const cases: [method: string, url: string, allow: string][] = [
      ['POST', '/', 'GET, HEAD, OPTIONS'],
      ['PUT', '/api/designs', list],
      ['DELETE', '/api/templates', list],
      ['TRACE', '/api/mockups/', list],
      ['POST', `/api/designs/${ID}`, row],
      ['PUT', `/api/users/${ID}/`, user],
      ['PUT', '/api/users/me', 'GET, HEAD, PATCH, OPTIONS'],
      ['GET', '/api/cache/clear', 'POST, OPTIONS'],
      ['HEAD', `/api/cache/clear/user/${ID}`, 'POST, OPTIONS'],
      ['POST', '/api/cache/health', 'GET, HEAD, OPTIONS'],
      ['PATCH', `/api/users/${ID}/tokens`, list],
      ['GET', `/api/users/${ID}/tokens/${ID}`, 'DELETE, OPTIONS'],
      ['QUERY', '/api/designs', list],
      // The word stands where another route has an id.
      ['POST', '/api/designs/export', 'GET, HEAD, OPTIONS'],
      ['TRACE', '/api/designs/bulk', 'POST, OPTIONS'],
    ]
    for (const [method, url, allow] of cases) {
      const answer = await ask(method, url)
      t.match(answer, { status: 405, headers: { allow } }, `${method} ${url}`)
      if (method !== 'HEAD') t.match(answer.body, { statusCode: 405, code: 'METHOD_NOT_ALLOWED' })
    }
  })

  t.test('OPTIONS says what a path takes, without a token', async (t) => {
    const row = await ask('OPTIONS', `/api/designs/${ID}`)
    t.match(row, { status: 204, text: '', headers: { allow: 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS' } })
    t.match(row.headers, { 'accept-patch': 'application/json', 'accept-post': undefined })
    const list = await ask('OPTIONS', '/api/designs')
    t.equal((await ask('OPTIONS', '/api/designs/bulk')).headers['allow'], 'POST, OPTIONS')
    t.match(list.headers, { allow: 'GET, HEAD, POST, OPTIONS', 'accept-post': 'application/json' })
  })

  t.test('a slash at the end makes no difference', async (t) => {
    const payload = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
    const { status, body } = await user.post('/api/designs/', payload)
    t.equal(status, 201)
    for (const url of ['/api/designs', `/api/designs/${body.id}`, '/api/users/me', `/api/users/${user.id}/tokens`]) {
      const [without, withSlash] = [await user.get(url), await user.get(`${url}/`)]
      t.equal(without.status, 200)
      t.equal(withSlash.text, without.text, url)
      t.equal((await user.get(`${url}/?`)).status, 200)
    }
    t.equal((await user.patch(`/api/designs/${body.id}/`, { filename: 'b.png' })).status, 200)
    t.equal((await anonymous.get('/api/cache/health/')).status, 200)
    t.equal((await admin.post('/api/cache/clear/', {})).status, 200)
    t.equal((await user.delete(`/api/designs/${body.id}/`)).status, 204)
  })
})
