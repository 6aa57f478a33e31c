import pg from 'pg'
import t, { type Test } from 'tap'
import { startService, type Answer, type TestService, type UserCaller } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }
const UNKNOWN_ID = '01a2069f-0000-7000-8000-000000000000'

t.test('on the embedded database', async (t) => {
  await suite(t, await startService(t, { isEmbedded: true }))
})

t.test('on PostgreSQL', async (t) => {
  const postgres = await sharedPostgres(t)
  const databaseUrl = await postgres.serviceDatabase()
  const service = await startService(t, { env: { DATABASE_URL: databaseUrl } })
  await suite(t, service)

  const client = new pg.Client(databaseUrl)
  await client.connect()
  t.teardown(() => client.end())
  const user = await service.newUser()

  t.test('another replica repeats the answer', async (t) => {
    const other = await startService(t, { env: { DATABASE_URL: databaseUrl } })
    const first = await create(user, 'on two')
    const authorization = `Bearer ${user.token}`
    const second = await other.anonymous.post('/api/designs', DESIGN, { authorization, 'idempotency-key': 'on two' })
    sameAnswer(t, second, first)
  })

  t.test('who comes while the first is under way is told so at once, and later gets its answer', async (t) => {
    await client.query('begin')
    await client.query('select 1 from users where id = $1 for update', [user.id])
    const both = [create(user, 'slow'), create(user, 'slow')]
    t.match(await Promise.race(both), { status: 409, body: { code: 'STILL_RUNNING' } })
    await client.query('rollback')
    const answers = await Promise.all(both)
    const first = answers.find(({ status }) => status === 201)
    t.ok(first, 'the other one has made it')
    if (first !== undefined) sameAnswer(t, await create(user, 'slow'), first)
  })

  t.test('after a day the key is free again, and what is old goes with the next creates', async (t) => {
    await Promise.all(Array.from({ length: 8 }, (_, n) => create(user, `old ${n}`)))
    const first = await create(user, 'old')
    await client.query(`update idempotency_keys set created_at = now() - interval '25 hours'`)
    const second = await create(user, 'old')
    t.equal(second.status, 201)
    t.not(second.body.id, first.body.id)
    await create(user, 'new')
    const { rows } = await client.query('select key from idempotency_keys order by key')
    t.same(
      rows.map(({ key }) => key),
      ['new', 'old'],
    )
    sameAnswer(t, await create(user, 'old'), second)
  })

  t.test('they go with their user', async (t) => {
    t.equal((await service.admin.delete(`/api/users/${user.id}`)).status, 204)
    t.same((await client.query('select 1 from idempotency_keys where user_id = $1', [user.id])).rows, [])
  })
})

function create(user: UserCaller, key: string, body: object = DESIGN, url = '/api/designs'): Promise<Answer> {
  return user.post(url, body, { 'idempotency-key': key })
}

function sameAnswer(t: Test, second: Answer, first: Answer): void {
  t.equal(second.status, 201)
  t.equal(second.text, first.text)
  for (const name of ['etag', 'location', 'roundhouse-version'])
    t.equal(second.headers[name], first.headers[name], name)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal(first.headers['idempotency-replayed'], undefined)
}

async function suite(t: Test, { app, newUser }: TestService): Promise<void> {
  const user = await newUser()
  const count = async (): Promise<number> => (await user.get('/api/designs?limit=100')).body.items.length

  t.test('the same request again gets the first answer, and makes no second row', async (t) => {
    const first = await create(user, '"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    t.equal(first.status, 201)
    sameAnswer(t, await create(user, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'), first)
    sameAnswer(t, await create(user, '8e03978e-40d5-43dd-bc93-6894a57f9324'), first)
    t.equal(await count(), 1)

    t.equal((await user.patch(`/api/designs/${first.body.id}`, { description: 'other' })).status, 200)
    sameAnswer(t, await create(user, '8e03978e-40d5-43dd-bc93-6894a57f9324'), first)
    t.equal((await user.get(`/api/designs/${first.body.id}`)).body.description, 'other')
  })

  t.test('twenty at once make one row', async (t) => {
    const before = await count()
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(user, 'at once')))
    t.ok(answers.every(({ status }) => status === 201 || status === 409))
    const made = new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.id))
    t.equal(made.size, 1)
    t.equal(await count(), before + 1)
  })

  t.test('what failed can be put right under the same key', async (t) => {
    t.equal((await create(user, 'again', { ...DESIGN, template_ids: [UNKNOWN_ID] })).status, 422)
    t.equal((await create(user, 'again')).status, 201)
  })

  t.test(
    'a bulk that was answered is recorded, whatever became of its operations; all or nothing is not',
    async (t) => {
      const [bad, good] = [{ op: 'create' }, { op: 'create', row: DESIGN }]
      const bulk = (key: string, operation: object, atomic: boolean): Promise<Answer> =>
        create(user, key, { operations: [operation], atomic }, '/api/designs/bulk')
      t.match(await bulk('in part', bad, false), { status: 200, body: { results: [{ status: 400 }] } })
      t.match(await bulk('in part', good, false), { status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
      t.match(await bulk('in part, 2', good, false), { status: 200, body: { results: [{ status: 201 }] } })
      t.match(await bulk('whole', bad, true), { status: 422, body: { code: 'BULK_REFUSED' } })
      t.match(await bulk('whole', good, true), { status: 200, body: { results: [{ status: 201 }] } })
    },
  )

  t.test('a key that came with something else is refused', async (t) => {
    await create(user, 'mine')
    const other = await create(user, 'mine', { ...DESIGN, filename: 'b.png' })
    t.match(other, { status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
    const template = { name: 'Mug', title: 'Mug', platform: 'etsy', product_type: 'mug' }
    t.equal((await create(user, 'mine', template, '/api/templates')).status, 422)
    t.equal((await create(await newUser(), 'mine')).status, 201, 'each user has keys of their own')
  })

  t.test('of a user who was deleted a moment ago', async (t) => {
    for (const operation of [{ op: 'create' }, { op: 'delete', external_id: 'none' }, { op: 'create', row: DESIGN }]) {
      const gone = await newUser()
      await gone.get('/api/designs')
      await app.db.query({ name: 'test', text: `delete from users where id = '${gone.id}'` })
      const bulk = create(gone, 'gone', { operations: [operation] }, '/api/designs/bulk')
      t.match(await bulk, { status: 401, body: { code: 'UNAUTHORIZED' } }, JSON.stringify(operation))
    }
  })

  t.test('a key that is none is 400', async (t) => {
    for (const key of ['', '"', '""', 'a"b', 'é', 'x'.repeat(256), `"${'x'.repeat(256)}"`]) {
      t.match(await create(user, key), { status: 400, body: { message: /idempotency-key must be/ } }, key)
    }
    t.equal((await create(user, 'x'.repeat(255))).status, 201)
  })

  t.test('a row with references, too', async (t) => {
    const { body: template } = await user.post('/api/templates', {
      name: 'Mug',
      title: 'Mug',
      platform: 'etsy',
      product_type: 'mug',
    })
    const body = { ...DESIGN, template_ids: [template.id] }
    const first = await create(user, 'with references', body)
    sameAnswer(t, await create(user, 'with references', body), first)
  })
}
