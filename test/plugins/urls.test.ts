import t from 'tap'
import { startService } from '../helpers/app.js'

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
