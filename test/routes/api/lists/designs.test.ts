import t from 'tap'
import { startService } from '../../../helpers/app.js'

t.test('lists of designs', async (t) => {
  const { admin, newUser } = await startService(t)
  const user = await newUser()
  const stranger = await newUser()
  const template = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
  const { body: mug } = await user.post('/api/templates', template)

  const ids: string[] = []
  for (let n = 0; n < 7; n += 1) {
    const { body } = await user.post('/api/designs', {
      filename: `${n}.png`,
      file_path: `/${n}.png`,
      platform: n % 2 === 0 ? 'etsy' : 'shopify',
      is_active: n < 5,
      tags: n < 3 ? ['summer', 'sea & sun'] : [],
      template_ids: n === 6 ? [mug.id] : [],
    })
    ids.unshift(body.id)
  }
  const { body: foreign } = await stranger.post('/api/designs', { filename: 'f', file_path: '/f', platform: 'etsy' })
  const idsOf = (items: { id: string }[]): string[] => items.map(({ id }) => id)

  t.test('go through all rows, newest first, over several pages', async (t) => {
    const seen: string[] = []
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const { status, body } = await user.get(`/api/designs?limit=2${cursor && `&cursor=${cursor}`}`)
      t.equal(status, 200)
      seen.push(...idsOf(body.items))
      cursor = body.next_cursor
      pages += 1
    }
    t.same(seen, ids)
    t.equal(pages, 4)
  })

  t.test('have no next page when the last row fits', async (t) => {
    t.match((await user.get('/api/designs?limit=7')).body, { next_cursor: null })
    t.same(idsOf((await user.get('/api/designs')).body.items), ids)
  })

  t.test('a page does not move when newer rows come', async (t) => {
    const { body: first } = await user.get('/api/designs?limit=3')
    const { body: added } = await user.post('/api/designs', { filename: 'n', file_path: '/n', platform: 'etsy' })
    const { body: second } = await user.get(`/api/designs?limit=3&cursor=${first.next_cursor}`)
    t.same(idsOf(second.items), ids.slice(3, 6))
    t.equal(
      (await user.get('/api/designs?limit=1')).body.items[0].id,
      added.id,
      'and the first page shows them at once',
    )
    await user.delete(`/api/designs/${added.id}`)
    t.equal((await user.get('/api/designs?limit=1')).body.items[0].id, ids[0], 'also when they go')
  })

  t.test('take a cursor of their own, whatever the limit, and no other', async (t) => {
    const { next_cursor: cursor } = (await user.get('/api/designs?limit=2')).body
    t.same(idsOf((await user.get(`/api/designs?limit=3&cursor=${cursor}`)).body.items), ids.slice(2, 5))
    const { next_cursor: narrowed } = (await user.get('/api/designs?limit=1&platform=etsy&is_active=true')).body
    t.equal((await user.get(`/api/designs?is_active=true&platform=etsy&cursor=${narrowed}`)).status, 200)
    const none = { status: 400, body: { code: 'INVALID_CURSOR' } }
    for (const [caller, url] of [
      [user, `/api/templates?cursor=${cursor}`],
      [user, `/api/designs?platform=etsy&cursor=${cursor}`],
      [user, `/api/designs?cursor=${narrowed}`],
      [user, `/api/designs?platform=shopify&is_active=true&cursor=${narrowed}`],
      [stranger, `/api/designs?cursor=${cursor}`],
      [user, `/api/users/${user.id}/tokens?cursor=${cursor}`],
      [admin, `/api/users?cursor=${cursor}`],
    ] as const) {
      t.match(await caller.get(url), none, url)
    }
  })

  t.test('can be narrowed', async (t) => {
    const expected: [string, number[]][] = [
      ['platform=shopify', [1, 3, 5]],
      ['is_active=false', [0, 1]],
      ['is_active=true&platform=etsy', [2, 4, 6]],
      [`template_id=${mug.id}`, [0]],
      [`template_id=${mug.id.toUpperCase()}`, [0]],
      ['tag=summer', [4, 5, 6]],
      ['tag=sea%20%26%20sun&platform=shopify', [5]],
      ['tag=winter', []],
    ]
    for (const [query, places] of expected) {
      const { body } = await user.get(`/api/designs?${query}`)
      t.same(
        idsOf(body.items),
        places.map((place) => ids[place]),
        query,
      )
    }
  })

  t.test('the same question in other words is the same entry', async (t) => {
    await user.get('/api/designs?platform=etsy&tag=summer')
    const again = await user.get('/api/designs?tag=summer&limit=50&platform=etsy')
    t.match(again.headers['cache-status'], /^roundhouse; hit; ttl=\d+; detail=memory$/)
  })

  t.test('have an ETag, which answers 304 until something changes', async (t) => {
    const { headers } = await user.get('/api/designs?limit=1')
    const known = { 'if-none-match': String(headers['etag']) }
    t.match(headers['etag'], /^"[\w-]{43}"$/)
    t.match(await user.get('/api/designs?limit=1', known), {
      status: 304,
      text: '',
      headers: { etag: headers['etag'] },
    })
    await user.patch(`/api/designs/${ids[0]}`, { description: 'changed' })
    t.equal((await user.get('/api/designs?limit=1', known)).status, 200)
  })

  t.test('?ids= answers the user’s own rows in the order asked for', async (t) => {
    const [a = '', b = ''] = ids
    const { status, body, headers } = await user.get(`/api/designs?ids=${b},${foreign.id},${a.toUpperCase()},${b}`)
    t.equal(status, 200)
    t.same(idsOf(body.items), [b, a])
    t.equal(body.next_cursor, null)
    t.match(headers['etag'], /^"[\w-]{43}"$/)
    const again = await user.get(`/api/designs?ids=${b},${foreign.id},${a},${b}`, {
      'if-none-match': String(headers['etag']),
    })
    t.match(again, { status: 304, headers: { 'cache-status': /^roundhouse; hit; ttl=\d+; detail=memory$/ } })
    t.match(
      (await user.get(`/api/designs/${a}`)).headers['cache-status'],
      /; hit;/,
      'the single documents are what is kept',
    )
    t.same((await stranger.get(`/api/designs?ids=${a}`)).body, { items: [], next_cursor: null })
  })

  t.test('?ids= sees a change of one row at once', async (t) => {
    const [a = '', b = ''] = ids
    await user.get(`/api/designs?ids=${a},${b}`)
    await user.patch(`/api/designs/${b}`, { filename: 'changed.png' })
    const { body, headers } = await user.get(`/api/designs?ids=${a},${b}`)
    t.equal(body.items[1].filename, 'changed.png')
    t.equal(headers['cache-status'], 'roundhouse; fwd=miss; stored')
  })

  t.test('take no number that is too large to be one', async (t) => {
    for (const limit of ['1e999', '-1e999', 'Infinity', '-Infinity']) {
      const { status, body } = await user.get(`/api/designs?limit=${limit}`)
      t.match({ status, body }, { status: 400, body: { message: 'query: limit must be integer' } }, limit)
    }
  })

  t.test('refuse queries that are not exactly right with 400', async (t) => {
    const [a = ''] = ids
    const many = Array.from({ length: 101 }, () => a).join(',')
    const refused = [
      'limit=0',
      'limit=101',
      'limit=abc',
      'limit=1.5',
      'limit=',
      'limit=1&limit=2',
      'is_active=1',
      'platform=eBay',

      'colour=red',
      'template_id=7',
      'tag=',
      'tag=%00',
      'product_type=mug',
      'cursor=',
      'cursor=a&cursor=b',
      'ids=',
      'ids=7',
      `ids=${a},`,
      `ids=${a};${a}`,
      `ids=${many}`,
      `ids=${a}&ids=${a}`,
      `ids=${a}&platform=etsy`,
      `ids=${a}&limit=5`,
      `ids=${a}&cursor=x`,
    ]
    for (const query of refused) {
      t.match(await user.get(`/api/designs?${query}`), { status: 400, body: { statusCode: 400 } }, query)
    }
  })

  t.test('refuse a cursor that they did not give', async (t) => {
    for (const cursor of ['x', 'AAAA', 'A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}B`, ids[0]]) {
      t.match(
        await user.get(`/api/designs?cursor=${cursor}`),
        { status: 400, body: { code: 'INVALID_CURSOR' } },
        String(cursor),
      )
    }
  })
})
