import pg from 'pg'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const TEMPLATE = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }

for (const database of ['embedded', 'PostgreSQL'] as const) {
  t.test(`many operations in one request: ${database}`, async (t) => {
    const env = database === 'embedded' ? {} : { DATABASE_URL: await (await sharedPostgres(t)).serviceDatabase() }
    const statements: string[] = []
    const { app, newUser } = await startService(t, {
      env,
      isEmbedded: database === 'embedded',
      onQuery: (name) => void statements.push(name),
    })
    const [user, stranger] = [await newUser(), await newUser()]
    const bulk = (operations: object[], more: object = {}, headers = {}) =>
      user.post('/api/designs/bulk', { operations, ...more }, headers)
    const byExternalId = async (name: string) => (await user.get(`/api/designs/by-external-id/${name}`)).body

    await t.test('each has its own result, in their order', async (t) => {
      const { body: old } = await user.post('/api/designs', { ...DESIGN, external_id: 'old', description: 'x' })
      const { body: doomed } = await user.post('/api/designs', DESIGN)
      await user.get(`/api/designs/${doomed.id}`)
      t.equal((await user.get('/api/designs/by-external-id/new')).status, 404)
      const answer = await bulk([
        { op: 'create', row: { ...DESIGN, external_id: 'new' } },
        { op: 'create', row: { ...DESIGN, external_id: 'new' } },
        { op: 'create', row: { filename: 'a' } },
        { op: 'update', id: old.id, row: { tags: ['a', ''] } },
        { op: 'update', external_id: 'nowhere', row: { tags: ['a'] } },
        { op: 'upsert', external_id: 'old', row: DESIGN },
        { op: 'upsert', external_id: 'made', row: DESIGN },
        { op: 'delete', id: doomed.id.toUpperCase() },
        { op: 'delete', id: doomed.id },
        { op: 'explode' },
        { op: 'create', row: { ...DESIGN, template_ids: [doomed.id] } },
        { op: 'update', external_id: 'new', row: { description: null, version: 1 } },
        { op: 'update', external_id: 'new', row: { description: 'x' }, if_match: '"nonsense"' },
      ])
      t.equal(answer.status, 200)
      const { results } = answer.body
      t.match(results, [
        { status: 201, external_id: 'new', version: 1 },
        { status: 409, code: 'EXTERNAL_ID_TAKEN' },
        { status: 400, code: 'INVALID_REQUEST', message: 'row: file_path is missing' },
        { status: 200, id: old.id, version: 2 },
        { status: 404, code: 'NOT_FOUND' },
        { status: 200, id: old.id, version: 3 },
        { status: 201, external_id: 'made', version: 1 },
        { status: 204, id: doomed.id },
        { status: 404 },
        { status: 400, message: 'operation: op must be one of create, update, upsert, delete' },
        { status: 422, code: 'INVALID_REFERENCE' },
        { status: 200, version: 1 },
        { status: 412, code: 'PRECONDITION_FAILED' },
      ])
      t.equal(results.length, 13)
      t.match(await byExternalId('old'), { description: null, tags: [], version: 3 })
      t.equal((await byExternalId('new')).id, results[0].id, 'the miss is forgotten')
      t.equal((await user.get(`/api/designs/${doomed.id}`)).status, 404)
      t.match(answer.headers['roundhouse-version'], /./)
    })

    await t.test('all or nothing', async (t) => {
      const operations = [
        { op: 'update', external_id: 'old', row: { description: 'y' } },
        { op: 'create', row: { ...DESIGN, external_id: 'atomic' } },
        { op: 'delete', external_id: 'nowhere' },
      ]
      const refused = await bulk(operations, { atomic: true })
      t.match(refused, { status: 422, body: { statusCode: 422, code: 'BULK_REFUSED', message: /1 of the operations/ } })
      t.match(refused.body.results, [{ status: 424, code: 'NOT_WRITTEN' }, { status: 424 }, { status: 404 }])
      t.equal((await byExternalId('old')).description, null)
      t.equal((await user.get('/api/designs/by-external-id/atomic')).status, 404)
      t.equal((await bulk(operations.slice(0, 2), { atomic: true })).status, 200)
      t.equal((await byExternalId('old')).description, 'y')
    })

    await t.test('neighbours of a kind are one statement', async (t) => {
      const names = Array.from({ length: 500 }, (_, n) => `many-${n}`)
      const cases = {
        create: [names.map((name) => ({ op: 'create', row: { ...DESIGN, external_id: name } })), 201],
        upsert: [
          names.map((name, n) => ({ op: 'upsert', external_id: name, row: { ...DESIGN, description: `${n}` } })),
          200,
        ],
        update: [names.map((name, n) => ({ op: 'update', external_id: name, row: { tags: [`${n}`] } })), 200],
        delete: [names.map((name) => ({ op: 'delete', external_id: name })), 204],
      } as const
      for (const [op, [operations, status]] of Object.entries(cases)) {
        statements.length = 0
        const { body } = await bulk([...operations])
        t.equal(statements.length < 15, true, `${op}: ${statements.join(', ')}`)
        t.same(new Set(body.results.map((result: { status: number }) => result.status)), new Set([status]), op)
        t.same(
          body.results.map((result: { external_id: string }) => result.external_id),
          names,
          'in their order',
        )
        if (op === 'update') t.match(await byExternalId('many-77'), { tags: ['77'], description: '77', version: 3 })
        if (op === 'create') {
          const { body: again } = await bulk(names.map((name) => ({ op: 'upsert', external_id: name, row: DESIGN })))
          t.same(
            new Set(again.results.map((result: { version: number }) => result.version)),
            new Set([1]),
            'nothing to write',
          )
        }
      }
    })

    await t.test(
      'rows that name different columns get the defaults of the others, and stand in their order',
      async (t) => {
        const maker = await newUser()
        const rows = [
          { ...DESIGN, filename: '1', tags: ['a'], is_active: false },
          { ...DESIGN, filename: '2' },
          { ...DESIGN, filename: '3', metadata: { sku: '"3"' }, external_id: '3', description: null },
          { ...DESIGN, filename: '4', tags: ['b'], description: 'x' },
          { ...DESIGN, filename: '5' },
        ]
        statements.splice(0)
        const operations = rows.map((row) => ({ op: 'create', row }))
        const { body } = await maker.post('/api/designs/bulk', { operations })
        t.equal(statements.filter((name) => name === 'designs.insert-many').length, 1)
        const { items } = (await maker.get('/api/designs?sort=created')).body
        t.match(items, [
          { filename: '1', tags: ['a'], is_active: false, metadata: null, external_id: null, description: null },
          { filename: '2', tags: [], is_active: true, metadata: null, external_id: null, description: null },
          { filename: '3', tags: [], is_active: true, metadata: { sku: '"3"' }, external_id: '3', description: null },
          { filename: '4', tags: ['b'], is_active: true, metadata: null, external_id: null, description: 'x' },
          { filename: '5', tags: [], is_active: true, metadata: null, external_id: null, description: null },
        ])
        t.same(
          items.map(({ id }: { id: string }) => id),
          body.results.map(({ id }: { id: string }) => id),
        )
        t.equal(new Set(items.map(({ created_at: at }: { created_at: string }) => at)).size, 1, 'all of one moment')
      },
    )

    await t.test('those that are refused do not make the others be done one by one', async (t) => {
      const { body: there } = await user.post('/api/designs', { ...DESIGN, external_id: 'taken' })
      const names = Array.from({ length: 100 }, (_, n) => `among-${n}`)
      const stranger = [there.id]
      const cases = {
        create: [
          { op: 'create', row: { ...DESIGN, external_id: 'taken' } },
          { op: 'create', row: { ...DESIGN, template_ids: stranger } },
          ...names.map((name) => ({ op: 'create', row: { ...DESIGN, external_id: name, template_ids: null } })),
        ],
        upsert: [
          { op: 'upsert', external_id: 'taken', row: { ...DESIGN, template_ids: stranger } },
          { op: 'upsert', external_id: 'not-made', row: { ...DESIGN, template_ids: stranger } },
          ...names.map((name) => ({ op: 'upsert', external_id: name, row: { ...DESIGN, description: 'x' } })),
        ],
        update: [
          { op: 'update', external_id: 'taken', row: { template_ids: stranger } },
          { op: 'update', external_id: 'not-made', row: { template_ids: stranger } },
          ...names.map((name) => ({ op: 'update', external_id: name, row: { template_ids: [] } })),
        ],
      }
      const expected = {
        create: ['EXTERNAL_ID_TAKEN', 'INVALID_REFERENCE', 201],
        upsert: ['INVALID_REFERENCE', 'INVALID_REFERENCE', 200],
        update: ['INVALID_REFERENCE', 'NOT_FOUND', 200],
      }
      for (const op of ['create', 'upsert', 'update'] as const) {
        statements.length = 0
        const { body } = await bulk(cases[op])
        t.equal(statements.length < 20, true, `${op}: ${statements.length}`)
        const results: { status: number; code?: string; external_id?: string }[] = body.results
        const [first, second, ...others] = results
        t.same([first?.code, second?.code, ...new Set(others.map(({ status }) => status))], expected[op])
        t.same(
          others.map(({ external_id: name }) => name),
          names,
        )
      }
      t.match(await byExternalId('taken'), { id: there.id, version: 1 })
    })

    await t.test('a row twice, a name that wanders: in the order in which they came', async (t) => {
      const { body } = await bulk([
        { op: 'upsert', external_id: 'twice', row: DESIGN },
        { op: 'upsert', external_id: 'twice', row: { ...DESIGN, description: '2' } },
        { op: 'update', external_id: 'twice', row: { external_id: 'moved' } },
        { op: 'create', row: { ...DESIGN, external_id: 'twice', description: '3' } },
        { op: 'delete', external_id: 'moved' },
        { op: 'update', external_id: 'twice', row: { tags: null } },
      ])
      t.same(
        body.results.map(({ status }: { status: number }) => status),
        [201, 200, 200, 201, 204, 200],
      )
      t.match(await byExternalId('twice'), { description: '3', version: 1 })
    })

    await t.test(
      'an external_id that moves between rows goes by the order of the operations, whichever row is older',
      async (t) => {
        const statuses = ({ body }: { body: { results: { status: number }[] } }) =>
          body.results.map(({ status }) => status)
        for (const isHolderOlder of [true, false]) {
          const named = { ...DESIGN, external_id: 'moving' }
          const made = await bulk(
            (isHolderOlder ? [named, DESIGN] : [DESIGN, named]).map((row) => ({ op: 'create', row })),
          )
          const ids: string[] = made.body.results.map(({ id }: { id: string }) => id)
          const [holder, other] = isHolderOlder ? ids : ids.toReversed()
          const take = { op: 'update', id: other, row: { external_id: 'moving' } }
          const release = { op: 'update', id: holder, row: { external_id: `moved-${isHolderOlder}` } }
          t.equal((await bulk([take, release], { atomic: true })).status, 422)
          t.same(statuses(await bulk([take, release])), [409, 200], `the holder is older: ${isHolderOlder}`)
          await user.patch(`/api/designs/${holder}`, { external_id: 'moving' })
          t.same(statuses(await bulk([release, take])), [200, 200])
          statements.length = 0
          const taken = await bulk([
            { op: 'update', id: holder, row: { external_id: 'old' } },
            { op: 'update', id: other, row: { external_id: 'moving' } },
          ])
          t.same(statuses(taken), [409, 200], 'of a row that stands beside them')
          t.notOk(statements.includes('bulk.rollback'), 'and the others are one statement')
          await user.delete('/api/designs/by-external-id/moving')
        }
      },
    )

    await t.test('what is in use stays, what refers to the deleted forgets it', async (t) => {
      const made = await user.post('/api/templates/bulk', {
        operations: Array.from({ length: 3 }, (_, n) => ({
          op: 'create',
          row: { ...TEMPLATE, external_id: `t${n}`, price: { cents: n, currency: 'EUR' } },
        })),
      })
      const ids: string[] = made.body.results.map(({ id }: { id: string }) => id)
      const { body: mockup } = await user.post('/api/mockups', { name: 'm', template_id: ids[1] })
      const { body: design } = await user.post('/api/designs', { ...DESIGN, template_ids: ids })
      await user.get(`/api/designs/${design.id}`)
      t.match((await user.get(`/api/templates/${ids[2]}`)).body.price, { cents: 2, currency: 'EUR' })
      const { body } = await user.post('/api/templates/bulk', { operations: ids.map((id) => ({ op: 'delete', id })) })
      t.match(body.results, [{ status: 204 }, { status: 409, code: 'TEMPLATE_IN_USE' }, { status: 204 }])
      t.same((await user.get(`/api/designs/${design.id}`)).body.template_ids, [ids[1]])
      await user.delete(`/api/mockups/${mockup.id}`)
      const two = await user.post('/api/templates/bulk', {
        operations: [
          { op: 'delete', external_id: 't1' },
          { op: 'delete', external_id: 't0' },
        ],
      })
      t.match(two.body.results, [{ status: 204 }, { status: 404 }])
      t.same((await user.get(`/api/designs/${design.id}`)).body.template_ids, [])
    })

    await t.test('each user for themselves', async (t) => {
      const { body: row } = await user.post('/api/designs', { ...DESIGN, external_id: 'mine' })
      const { body } = await stranger.post('/api/designs/bulk', {
        operations: [
          { op: 'update', id: row.id, row: { description: 'stolen' } },
          { op: 'update', external_id: 'mine', row: { description: 'stolen' } },
          { op: 'delete', id: row.id },
          { op: 'delete', external_id: 'mine' },
          { op: 'upsert', external_id: 'mine', row: DESIGN },
        ],
      })
      t.same(
        body.results.map(({ status }: { status: number }) => status),
        [404, 404, 404, 404, 201],
      )
      t.match(await byExternalId('mine'), { id: row.id, version: 1 })
    })

    await t.test('an if_match that is no list of ETags is 400, whether there is such a row or not', async (t) => {
      const { body: there } = await user.post('/api/designs', { ...DESIGN, external_id: 'conditional' })
      for (const [id, name] of [
        [there.id, 'conditional'],
        [there.id.replace(/^.{8}/, '00000000'), 'absent'],
      ]) {
        const { results } = (
          await bulk([
            { op: 'update', id, row: { description: 'x' }, if_match: 'no ETag' },
            { op: 'upsert', external_id: name, row: DESIGN, if_match: 'no ETag' },
            { op: 'delete', external_id: name, if_match: 'no ETag' },
          ])
        ).body
        const refused = { status: 400, code: 'INVALID_REQUEST', message: /^if_match must be \* or ETags/ }
        t.match(results, [refused, refused, refused], name)
      }
      t.equal((await byExternalId('conditional')).version, 1)
    })

    await t.test('once for each Idempotency-Key', async (t) => {
      const operations = [
        { op: 'create', row: { ...DESIGN, external_id: 'once' } },
        { op: 'delete', external_id: 'no' },
      ]
      const headers = { 'idempotency-key': 'bulk-1' }
      const first = await bulk(operations, {}, headers)
      const second = await bulk(operations, {}, headers)
      t.equal(second.text, first.text)
      t.equal(second.headers['idempotency-replayed'], 'true')
      t.equal((await bulk([...operations, operations[0]!], {}, headers)).body.code, 'IDEMPOTENCY_KEY_REUSED')
    })

    await t.test('what is no list of operations is 400, and as a whole', async (t) => {
      for (const payload of [
        {},
        { operations: [] },
        { operations: Array.from({ length: 1_001 }, () => ({})) },
        { operations: [1] },
        { operations: [{}], more: 1 },
        [],
      ]) {
        t.equal((await user.post('/api/designs/bulk', payload)).status, 400)
      }
      const large = { operations: [{ op: 'create', row: { ...DESIGN, description: 'x'.repeat(1_100_000) } }] }
      t.equal((await user.post('/api/designs/bulk', large)).status, 413)
      const mixed = [
        {},
        { op: 'create', id: stranger.id, row: DESIGN },
        { op: 'create' },
        { op: 'update', row: { tags: [] } },
        { op: 'update', id: stranger.id, external_id: 'x', row: { tags: [] } },
        { op: 'upsert', row: DESIGN },
        { op: 'upsert', external_id: 'x', row: { ...DESIGN, external_id: 'y' } },
        { op: 'delete', id: 'x' },
        { op: 'delete', id: stranger.id, row: {} },
        { op: 'update', id: stranger.id, row: { version: 1 } },
        { op: 'update', id: stranger.id, row: { tags: ['\0'] } },
        { op: 'update', external_id: '..', row: { tags: [] } },
      ]
      const { status, body } = await bulk(mixed).catch(() => ({ status: 0, body: {} }))
      if (status === 200)
        for (const [n, result] of body.results.entries()) t.equal(result.status, 400, JSON.stringify(mixed[n]))
      else t.equal(status, 400)
      t.equal(
        (await app.inject({ method: 'POST', url: '/api/designs/bulk', payload: { operations: [{}] } })).statusCode,
        401,
      )
    })
  })
}

t.test('many at once over the same rows: nobody waits for ever, and the rows are those of the last', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const user = await newUser()
  const names = Array.from({ length: 20 }, (_, n) => `row-${n}`)
  const shuffled = (n: number): string[] =>
    [...names.slice(n), ...names.slice(0, n)].toSorted(() => (n % 2 === 0 ? -1 : 1))
  const write = (n: number) => {
    const operations = shuffled(n).map((name) =>
      n % 5 === 0
        ? { op: 'delete', external_id: name }
        : { op: 'upsert', external_id: name, row: { ...DESIGN, description: `${n}` } },
    )
    return user.post('/api/designs/bulk', { operations })
  }
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => write(n + 1)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  const refused = answers
    .flatMap(({ body }) => body.results)
    .filter(({ status }) => ![200, 201, 204, 404].includes(status))
  t.same(refused, [])
  for (const name of names) {
    const { body } = await user.get(`/api/designs/by-external-id/${name}`)
    const text = 'select description from designs where external_id = $1'
    const [row] = await app.db.query<{ description: string }>({ name: 'test.read', text, values: [name] })
    t.equal(body.description, row?.description, name)
  }
})

t.test('an upsert that stands alone replaces what somebody makes at the same moment', async (t) => {
  const url = await (await sharedPostgres(t)).serviceDatabase()
  const { newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const user = await newUser()
  const other = new pg.Client(url)
  await other.connect()
  t.teardown(() => other.end())
  await other.query('begin')
  const text = `insert into designs (id, user_id, filename, file_path, platform, external_id) values (new_row_id(0), $1, 'b', '/b', 'etsy', 'raced')`
  await other.query(text, [user.id])
  const asked = user.post('/api/designs/bulk', { operations: [{ op: 'upsert', external_id: 'raced', row: DESIGN }] })
  const waiting = `select from pg_locks where not granted and locktype = 'transactionid'`
  await until(async () => (await other.query(waiting)).rowCount, { timeoutMs: 20_000, describe: 'the bulk waits' })
  await other.query('commit')
  t.match((await asked).body, { results: [{ status: 200, external_id: 'raced', version: 2 }] })
})
