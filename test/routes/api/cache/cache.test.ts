import t, { type Test } from 'tap'
import { ADMIN_TOKEN, Caller, startService, type TestService, type UserCaller } from '../../../helpers/app.js'

const UNKNOWN_ID = '0190d3c6-0000-7000-8000-000000000000'
const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

async function newDesign(user: UserCaller, fields: object = {}): Promise<string> {
  const { status, body } = await user.post('/api/designs', { ...DESIGN, ...fields })
  if (status !== 201) throw new Error(`no design: ${JSON.stringify(body)}`)
  return body.id
}

async function newTemplate(user: UserCaller): Promise<string> {
  const template = { name: 'mug', title: '{design_name} mug', platform: 'etsy', product_type: 'mug' }
  return (await user.post('/api/templates', template)).body.id
}

async function warm(user: UserCaller, url: string): Promise<void> {
  await user.get(url)
  const again = await user.get(url)
  if (!again.headers['cache-status']?.includes('hit'))
    throw new Error(`${url} is no hit: ${again.headers['cache-status']}`)
}

async function isHit(user: UserCaller, url: string): Promise<boolean> {
  return (await user.get(url)).headers['cache-status']?.includes('; hit;') === true
}

t.test('cache routes', async (t) => {
  const service = await startService(t)
  await t.test('health has the documented shape, for anyone', (t) => health(t, service))
  await t.test('stats count what was read, without keys', (t) => stats(t, service))
  await t.test('clearing a user clears that user only', (t) => clearUser(t, service))
  await t.test('clearing a template clears it, its lists and its mockups', (t) => clearTemplate(t, service))
  await t.test('clearing everything is for administrators', (t) => clearAll(t, service))
  await t.test('inspection tells per tier whether an entry would be served', (t) => inspect(t, service))
})

async function health(t: Test, { anonymous }: TestService): Promise<void> {
  const { status, body, headers } = await anonymous.get('/api/cache/health')
  t.equal(status, 200)
  t.equal(headers['cache-control'], 'no-store')
  t.match(body, {
    status: 'healthy',
    state: 'memory-only',
    last_check: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    uptime_seconds: Number,
    cache_health: {
      redis: 'disabled',
      memory: 'healthy',
      journal: 'healthy',
      database: 'healthy',
      loads: 'healthy',
      overall: 'healthy',
    },
    performance_stats: {
      hits: Number,
      misses: Number,
      hit_rate_percent: Number,
      redis_available: false,
      enabled: true,
    },
  })
}

async function stats(t: Test, service: TestService): Promise<void> {
  const user = await service.newUser()
  const id = await newDesign(user)
  const before = (await service.anonymous.get('/api/cache/stats')).body.domains.designs
  await warm(user, `/api/designs/${id}`)
  const { status, body, text } = await service.anonymous.get('/api/cache/stats')
  t.equal(status, 200)
  t.equal(body.service_status, 'healthy')
  t.match(body.last_health_check, /^\d{4}-/)
  const wanted = `hits misses memory_hits redis_hits stale_hits negative_hits redis_errors redis_refusals redis_refuses invalid_entries oversized_entries verified memory_errors background_errors hit_rate_percent
    memory_cache_size memory_cache_bytes evictions expirations invalidations loads refused_fills redis_available enabled`
  t.same(Object.keys(body.cache_stats).toSorted(), wanted.split(/\s+/).toSorted())
  t.equal(body.domains.designs.hits - (before?.hits ?? 0), 1)
  t.equal(body.domains.designs.misses - (before?.misses ?? 0), 1)
  t.equal(body.domains.designs.loads - (before?.loads ?? 0), 1)
  t.notOk(text.includes(user.id), 'no tenant data')
}

async function clearUser(t: Test, { admin, anonymous, newUser }: TestService): Promise<void> {
  const [user, other] = [await newUser(), await newUser()]
  const [url, otherUrl] = [`/api/designs/${await newDesign(user)}`, `/api/designs/${await newDesign(other)}`]
  await warm(user, url)
  await warm(user, '/api/designs')
  await warm(other, otherUrl)
  t.equal((await anonymous.post(`/api/cache/clear/user/${user.id}`, {})).status, 401)
  t.equal((await other.post(`/api/cache/clear/user/${user.id}`, {})).status, 403)
  t.equal((await admin.post(`/api/cache/clear/user/${UNKNOWN_ID}`, {})).status, 404)
  t.equal((await admin.post('/api/cache/clear/user/nobody', {})).status, 404)
  t.ok(await isHit(user, url), 'refused requests clear nothing')

  const cleared = await admin.post(`/api/cache/clear/user/${user.id}`, {})
  t.equal(cleared.status, 200)
  t.match(cleared.body, { cleared: 'user', user_id: user.id, tags: 1 })
  t.notOk(await isHit(user, url))
  t.notOk(await isHit(user, '/api/designs'))
  t.ok(await isHit(other, otherUrl))
  t.equal((await user.post(`/api/cache/clear/user/${user.id}`, {})).status, 200, 'users clear their own')
  t.notOk(await isHit(user, url))
}

async function clearTemplate(t: Test, { admin, newUser }: TestService): Promise<void> {
  const [user, other] = [await newUser(), await newUser()]
  const templateId = await newTemplate(user)
  const { body: mockup } = await user.post('/api/mockups', { name: 'front', template_id: templateId })
  const lonely = `/api/designs/${await newDesign(user)}`
  const urls = [`/api/templates/${templateId}`, '/api/templates', `/api/mockups/${mockup.id}`]
  for (const url of [...urls, lonely]) await warm(user, url)
  t.equal(
    (await other.post(`/api/cache/clear/template/${templateId}`, {})).status,
    404,
    "another user's is no template",
  )
  t.equal((await admin.post(`/api/cache/clear/template/${UNKNOWN_ID}`, {})).status, 404)

  const cleared = await user.post(`/api/cache/clear/template/${templateId}`, {})
  t.match(cleared, { status: 200, body: { cleared: 'template', template_id: templateId } })
  for (const url of urls) t.notOk(await isHit(user, url), url)
  t.ok(await isHit(user, lonely), 'what has nothing to do with it stays')
  t.equal((await admin.post(`/api/cache/clear/template/${templateId}`, {})).status, 200)
}

async function clearAll(t: Test, { admin, anonymous, newUser }: TestService): Promise<void> {
  const user = await newUser()
  const url = `/api/designs/${await newDesign(user)}`
  await warm(user, url)
  t.equal((await anonymous.post('/api/cache/clear', {})).status, 401)
  t.equal((await user.post('/api/cache/clear', {})).status, 403)
  t.ok(await isHit(user, url))
  t.match(await admin.post('/api/cache/clear', {}), { status: 200, body: { cleared: 'everything' } })
  t.equal((await anonymous.get('/api/cache/stats')).body.cache_stats.memory_cache_size, 0)
  t.notOk(await isHit(user, url))
  t.ok(await isHit(user, url), 'and is filled anew')
}

async function inspect(t: Test, { admin, newUser }: TestService): Promise<void> {
  const user = await newUser()
  const id = await newDesign(user)
  const url = `/api/cache/inspect?key=${encodeURIComponent(`${user.id}/designs/${id}`)}`
  t.equal((await user.get(url)).status, 403)
  t.equal((await admin.get('/api/cache/inspect')).status, 400)
  t.equal((await admin.get('/api/cache/inspect?key=nonsense')).status, 404)
  t.match((await admin.get(url)).body, { memory: { present: false, state: 'absent', verdict: 'not in memory' } })
  await warm(user, `/api/designs/${id}`)
  const { body } = await admin.get(url)
  t.match(body, {
    memory: {
      present: true,
      state: 'fresh',
      verdict: 'served (fresh)',
      snapshot: /^\d+:\d+:/,
      tags: [
        { tag: `${user.id}/designs/${id}`, shown: true, in_doubt: false },
        { tag: `${user.id}/all`, shown: true, in_doubt: false },
      ],
    },
    redis: { present: false, state: 'absent', verdict: 'Redis is not in use' },
  })
  const [own, owner] = body.memory.tags
  t.ok(own.last_change > owner.last_change, 'the row was made after whatever happened to all of its owner')

  await user.patch(`/api/designs/${id}`, { description: 'changed' })
  const { memory } = (await admin.get(url)).body
  t.match(memory.verdict, /^(in doubt until|not served)/, 'in doubt until the next reading of the journal')
}

t.test('each clear writes one line: who, what, when, how many', async (t) => {
  const lines: string[] = []
  const logDestination = { write: (line: string) => void lines.push(line) }
  const plain = 'a-plain-admin-token-of-32-characters'
  const env = { ADMIN_TOKENS: `${plain},ops:${ADMIN_TOKEN}` }
  const { app, admin, newUser } = await startService(t, { env, logLevel: 'info', logDestination })
  const user = await newUser()
  const templateId = await newTemplate(user)
  await warm(user, `/api/templates/${templateId}`)
  const told = async (caller: Caller, path: string) => {
    lines.length = 0
    t.equal((await caller.post(path, {})).status, 200)
    const records = lines.map((line) => JSON.parse(line))
    t.equal(records.length, 1)
    t.match(records[0], { level: 'info', time: /^\d{4}-.*Z$/, request_id: String })
    return records[0]
  }
  t.match(await told(admin, `/api/cache/clear/user/${user.id}`), {
    by: 'ops',
    cleared: `user: ${user.id}`,
    tags: 1,
    message: `🧹 Cleared cache for user: ${user.id} (by ops; 1 tag)`,
  })
  t.match(await told(user, `/api/cache/clear/user/${user.id}`), { by: `user ${user.id}` })
  t.match(await told(user, `/api/cache/clear/template/${templateId}`), {
    cleared: `template: ${templateId}`,
    tags: 2,
    message: `🧹 Cleared cache for template: ${templateId} (by user ${user.id}; 2 tags)`,
  })
  await warm(user, `/api/templates/${templateId}`)
  const { memoryItems } = app.cache.stats()
  t.match(await told(new Caller(app, plain), '/api/cache/clear'), {
    by: 'admin-1',
    cleared: 'everybody',
    tags: 1,
    entries: memoryItems,
    message: `🧹 Cleared cache for everybody (by admin-1; 1 tag, ${memoryItems} entries here)`,
  })
  lines.length = 0
  await new Caller(app, `${plain}x`).post('/api/cache/clear', {})
  t.same(lines, [], 'what is refused clears nothing')
})
