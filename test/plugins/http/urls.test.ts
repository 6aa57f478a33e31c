import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { exchange } from '../../helpers/raw-http.js'

t.test('a URL that is not UTF-8 in percent-encoding is refused', async (t) => {
  const user = await (await startService(t)).newUser()
  const invalid = { status: 400, body: { code: 'INVALID_REQUEST', message: /percent-encoding/ } }
  for (const part of ['%e9', '%C3', '%C3%28', '%C0%AF', '%ED%A0%80', '%', '100%', '%zz', '%u00e9', '%F8%88%80%80%80']) {
    t.match(await user.get(`/api/designs?tag=${part}`), invalid, `the value ${part}`)
    t.match(await user.get(`/api/designs?${part}=x`), invalid, `the key ${part}`)
    t.match(await user.get(`/api/users/me?x=${part}`), invalid, `${part} where no query is read`)
    t.match(await user.get(`/api/designs/${part}`), invalid, `the path ${part}`)
    t.match(await user.send({ method: 'PUT', url: `/nowhere/${part}` }), invalid, `another path ${part}`)
  }
  for (const part of ['Caf%C3%A9', '%F0%9F%91%A9', '100%25', 'a+b', '%2B']) {
    t.equal((await user.get(`/api/designs?tag=${part}`)).status, 200, part)
  }
  t.match(await user.get(`/api/designs/${'a'.repeat(3_100)}`), { status: 400, body: { message: /too long/ } })
})

t.test('an address in place of a path is asked as its path', async (t) => {
  const { app, newUser } = await startService(t)
  const { token } = await newUser()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const ask = (line: string) =>
    exchange(port, `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  t.match(await ask('GET http://a.example/api/designs?limit=1'), { status: 200, body: { items: [] } })
  t.match(await ask('GET http://a.example/api/designs?limit=0'), { status: 400, body: { message: /limit/ } })
  const put = await ask('PUT http://a.example/api/designs')
  t.equal(put.status, 405)
  t.equal(put.header('allow'), 'GET, HEAD, POST, OPTIONS')
  t.equal((await ask('OPTIONS http://a.example')).status, 204)
  t.match(await ask('GET https://a.example?x=1'), { status: 404, body: { message: /no route GET \/:/ } })
  t.match(await ask('GET http://a.example/api/designs/%ff'), {
    status: 400,
    body: { message: /The path is not UTF-8/ },
  })
  for (const address of ['http://', 'http://[/api/designs', 'http://u:p@a.example/api/designs'])
    t.match(await ask(`GET ${address}`), { status: 400, body: { message: /names no host/ } }, address)
})

t.test(
  'what two programs could read in two ways is refused: a second host, a second token, a host that is none',
  async (t) => {
    const { app, newUser } = await startService(t)
    const [user, other] = [await newUser(), await newUser()]
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const get = (...lines: string[]) =>
      exchange(port, `GET /api/users/me HTTP/1.1\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`)
    const token = `Authorization: Bearer ${user.token}`
    const invalid = (message: RegExp) => ({ status: 400, body: { code: 'INVALID_REQUEST', message } })
    for (const host of ['localhost', '', '127.0.0.1:3000', '[::1]:3000', 'shop.example:', 'a_b.internal'])
      t.match(await get(`Host: ${host}`, token), { status: 200 }, host)
    for (const host of ['a b', 'a/b', 'a@b', 'a:b', '[::1', '::1', 'a\xe9', 'a,b c', 'http://a'])
      t.match(await get(`Host: ${host}`, token), invalid(/host is no name/), host)
    t.match(await get('Host: localhost', token, 'host: localhost'), invalid(/host must be sent once/))
    t.match(await get('Host: a', 'Host: b', token), invalid(/host must be sent once/))
    t.match(
      await get('Host: a', token, `authorization: Bearer ${other.token}`),
      invalid(/authorization must be sent once/),
    )
    t.match(await get('Host: a', 'X-Host: b', 'Ghost: c', token), { status: 200 })
  },
)
