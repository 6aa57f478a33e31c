import t from 'tap'
import { startService, type UserCaller } from '../../../helpers/app.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy', external_id: 'sku/1 é' }
const UNKNOWN_ID = '0190d3c6-0000-7000-8000-000000000000'

t.test('inspection by URL', async (t) => {
  const { app, admin, newUser } = await startService(t)
  const user = await newUser()
  const { id } = (await user.post('/api/designs', DESIGN)).body
  const inspect = (url: string, whose?: UserCaller) =>
    admin.get(`/api/cache/inspect?url=${encodeURIComponent(url)}${whose === undefined ? '' : `&user_id=${whose.id}`}`)

  await t.test('a row is found by its URL alone, and the sentence says who would answer', async (t) => {
    const url = `/api/designs/${id}`
    t.match(await inspect(url), {
      status: 200,
      body: { key: `${user.id}/designs/${id}`, verdict: 'The database answers: no tier holds this.' },
    })
    await user.get(url)
    // The change that made it may be in doubt until the journal is read.
    await user.get(url)
    t.match(
      (await inspect(url)).body.verdict,
      /^Memory answers with a document that was loaded .* ago, which shows every change heard of/,
    )
    for (const same of [
      `https://shop.example/some/proxy${url}`,
      `${url}/`,
      `${url.toUpperCase().replace('/API/DESIGNS', '/api/designs')}?_=1`,
    ]) {
      t.match(await inspect(same), { status: 200, body: { key: `${user.id}/designs/${id}` } }, same)
    }
    await user.patch(url, { description: 'a red fox' })
    t.match((await inspect(url)).body.verdict, /(journal has been read again|does not show a change)/)
    t.match(
      (await inspect(url, await newUser())).body.key.includes(user.id),
      false,
      'who is named is asked for, and it is no row of theirs',
    )
  })

  await t.test('the keys of lists, external ids and profiles are those that reads use', async (t) => {
    const lists = [
      '/api/designs',
      '/api/designs?limit=20&is_active=true',
      '/api/designs?platform=etsy&limit=5&_=7',
      '/api/designs?is_active=True',
      '/api/designs?tag=fox&tag=red',
      '/api/designs?any_tag=fox,red',
    ]
    const external = `/api/designs/by-external-id/${encodeURIComponent(DESIGN.external_id)}`
    for (const url of [...lists, external, '/api/users/me']) {
      await user.get(url)
      await user.get(url)
      const { status, body } = await inspect(url, user)
      t.equal(status, 200, `${url}: ${JSON.stringify(body)}`)
      t.equal(body.memory?.present, true, `${url} is ${body.key}`)
    }
    t.match(await inspect(`/api/users/${user.id}`), { status: 200, body: { memory: { present: true } } })
    const spelled = `/api/designs/by-external-id/${encodeURIComponent(DESIGN.external_id.normalize('NFD'))}`
    t.match(await inspect(spelled, user), { status: 200, body: { memory: { present: true } } }, 'in another spelling')
  })

  await t.test('what is no URL of an entry is refused, with what to do', async (t) => {
    const refusals: [url: string, status: number, message: RegExp, whose?: UserCaller][] = [
      ['/api/designs', 400, /user_id is missing/],
      ['/api/users/me', 400, /user_id is missing/],
      ['/api/designs/fox', 400, /no UUID/],
      ['/api/designs/fox', 400, /no UUID/, user],
      ['/api/users/fox', 400, /no UUID/],
      ['/api/designs?limit=1&limit=2', 400, /twice/, user],
      ['/api/designs?ids=a,b', 400, /URL of each row/, user],
      ['/api/designs?limit=many', 400, /limit/, user],
      ['/api/designs?cursor=zzz', 400, /cursor/, user],
      [`/api/designs/${id}?fields=id`, 400, /a row takes none/],
      ['/api/users/me?x=1', 400, /a row takes none/, user],
      ['/api/designs/%zz', 400, /no UUID/],
      ['/api/designs/by-external-id/%zz', 400, /percent-encoding/, user],
      ['/api/designs/by-external-id/%00', 400, /external_id that no row can have/, user],
      [`/api/designs/by-external-id/${'x'.repeat(256)}`, 400, /external_id that no row can have/, user],
      ['http://[', 400, /no URL/],
      [`/api/designs/${UNKNOWN_ID}`, 404, /no such design/],
      ['/api/foxes/1', 404, /no such/],
      ['/', 404, /no such/],
    ]
    for (const [url, status, message, whose] of refusals) {
      t.match(await inspect(url, whose), { status, body: { message } }, url)
    }
    t.match(await admin.get('/api/cache/inspect?url=%2Fapi%2Fdesigns&user_id=me'), { status: 400 })
    t.match(await admin.get('/api/cache/inspect'), { status: 400, body: { message: /key or url/ } })
    t.equal((await user.get(`/api/cache/inspect?url=%2Fapi%2Fdesigns%2F${id}`)).status, 403)
  })

  await t.test('clearing shows in the sentence', async (t) => {
    await user.get(`/api/designs/${id}`)
    await app.cache.clear()
    t.match((await inspect(`/api/designs/${id}`)).body.verdict, /^The database answers/)
  })
})
