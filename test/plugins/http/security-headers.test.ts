import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { exchange } from '../../helpers/raw-http.js'

const POLICY =
  "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';" +
  "base-uri 'none';form-action 'none';frame-ancestors 'none'"

/** What a browser reads as orders, by the names that begin so. */
const ORDERS = /^(x-|content-security|referrer|cross-origin|origin-agent|strict-transport|permissions)/

t.test('no answer may be taken for another type, and only pages say more', async (t) => {
  const { app, anonymous, admin, newUser } = await startService(t)
  const user = await newUser()
  const { headers } = await user.get('/api/users/me')
  const etag = String(headers['etag'])
  const { body: design } = await user.post('/api/designs', { filename: 'a', file_path: '/a', platform: 'etsy' })
  for (const [status, answer] of [
    [200, await user.get('/api/users/me')],
    [304, await user.get('/api/users/me', { 'if-none-match': etag })],
    [200, await user.get('/api/designs/export')],
    [204, await user.delete(`/api/designs/${design.id}`)],
    [200, await admin.get('/metrics')],
    [200, await anonymous.get('/openapi.json')],
    [200, await anonymous.get('/api/cache/health')],
    [401, await anonymous.get('/api/designs')],
    [404, await anonymous.get('/nowhere')],
    [405, await user.put('/api/designs', {})],
    [400, await user.get('/api/designs/%zz')],
    [400, await user.get(`/api/designs/${'a'.repeat(3_100)}`)],
    [204, await anonymous.send({ method: 'OPTIONS', url: '/api/designs' })],
  ] as const) {
    t.equal(answer.status, status)
    const orders = Object.entries(answer.headers).filter(([name]) => ORDERS.test(name))
    t.same(orders, [['x-content-type-options', 'nosniff']], String(status))
  }

  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const malformed = await exchange(port, 'nonsense\r\n\r\n', 3_000)
  t.match(malformed, { status: 400 })
  t.equal(malformed.header('x-content-type-options'), 'nosniff')
})

t.test('pages come with the headers of helmet and a policy without an exception', async (t) => {
  const { anonymous } = await startService(t)
  const common = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'origin-agent-cluster': '?1',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
    'x-frame-options': 'DENY',
    'x-xss-protection': '0',
  }
  for (const [path, policy] of [
    ['/dashboard', `${POLICY};require-trusted-types-for 'script'`],
    ['/docs', POLICY],
  ] as const) {
    for (const answer of [await anonymous.get(path), await anonymous.get(path, { 'if-none-match': '*' })]) {
      const orders = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => ORDERS.test(name)))
      t.same(orders, { ...common, 'content-security-policy': policy }, path)
    }
  }
})
