import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { startService, type Answer, type TestService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startRedis } from '../../helpers/servers/redis.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const RUNS = 500

/** What one entry in Redis is replaced by, and what the answer must be all the same. */
interface Target {
  readonly user: UserCaller
  readonly url: string
  /** Of its name in Redis, after the prefix. */
  readonly key: string
}

interface World {
  readonly service: TestService
  readonly client: Redis
  readonly targets: readonly Target[]
  /** By the index of a target: what the service itself has stored. */
  readonly stored: readonly Stored[]
}

interface Stored {
  readonly name: string
  readonly bytes: Buffer
  readonly answer: Answer
}

/** Somebody who can write to Redis, has read what is there, and knows this code; everything but the secret. */
const poison = fc.record({ target: fc.nat(5), other: fc.nat(5) }).chain(({ target, other }) =>
  fc.record({
    target: fc.constant(target),
    change: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ kind: 'bytes' as const, bytes: Buffer.from(bytes) })),
      fc
        .string({ unit: 'binary', maxLength: 200 })
        .map((text) => ({ kind: 'bytes' as const, bytes: Buffer.from(text) })),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((part) => ({ kind: 'cut' as const, part })),
      fc.record({
        kind: fc.constant('splice' as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        count: fc.nat(12),
        put: fc.string({ maxLength: 12 }),
      }),
      fc.constantFrom('1e400', 'zzzzzzzzzz', '0', '-1', ' ').map((put) => ({ kind: 'time' as const, put })),
      fc
        .constantFrom('"a\u0000b"', '"a\r\nset-cookie: x=1"', '', 'W/"x"', '"2-x-1"', 'x'.repeat(100_000))
        .map((put) => ({ kind: 'etag' as const, put })),
      fc
        .constantFrom('', 'no JSON', '{"id":', 'null', '{"items":[]}', '[]', '1e999', '{"__proto__":{"a":1}}')
        .map((put) => ({ kind: 'body' as const, put })),
      fc.constant({ kind: 'copy' as const, from: (target + 1 + (other % 5)) % 6 }),
      fc.constant({ kind: 'owner' as const, from: (target + 1 + (other % 5)) % 6 }),
    ),
  }),
)

type Change =
  typeof poison extends fc.Arbitrary<infer Poison extends { readonly change: unknown }> ? Poison['change'] : never

/** The bytes that lie in Redis afterwards. */
function changed(change: Change, { stored, targets }: World, target: number): Buffer {
  const own = stored[target]!.bytes
  const [header = '', etag = '', body = ''] = own.toString().split('\n')
  switch (change.kind) {
    case 'bytes':
      return change.bytes
    case 'cut':
      return own.subarray(0, Math.floor(own.length * change.part))
    case 'splice': {
      const at = Math.floor(own.length * change.part)
      return Buffer.concat([own.subarray(0, at), Buffer.from(change.put), own.subarray(at + change.count)])
    }
    case 'time':
      return Buffer.from([header.replace(/ [0-9a-z]+ /, ` ${change.put} `), etag, body].join('\n'))
    case 'etag':
      return Buffer.from([header, change.put, body].join('\n'))
    case 'body':
      return Buffer.from([header, etag, change.put].join('\n'))
    case 'copy':
      return stored[change.from]!.bytes
    case 'owner':
      return Buffer.from(own.toString().replaceAll(targets[target]!.user.id, targets[change.from]!.user.id))
  }
}

const TITLE = 'whatever lies in Redis under the name of an entry: it is a clean miss, counted and overwritten'
t.setTimeout(300_000)
t.test(TITLE, { timeout: 300_000 }, async (t) => {
  const world = await poisonable(t)
  const { service, client, targets, stored } = world
  const invalid = () => service.app.cache.stats().invalidEntries
  let poisoned = 0
  const isClean = async ({ target, change }: { readonly target: number; readonly change: Change }): Promise<void> => {
    const [{ user, url }, { name, bytes, answer }] = [targets[target]!, stored[target]!]
    const put = changed(change, world, target)
    if (put.equals(bytes)) return
    poisoned += 1
    const before = invalid()
    await client.set(name, put)
    const startedAt = performance.now()
    const got = await user.get(url)
    const ms = performance.now() - startedAt
    const facts = { ...got, ms, change, name }
    if (got.status !== 200 || got.text !== answer.text || got.headers['etag'] !== answer.headers['etag'])
      throw new Error(`not clean: ${JSON.stringify(facts)}`)
    if (!got.headers['cache-status']?.includes('fwd=miss')) throw new Error(`no miss: ${JSON.stringify(facts)}`)
    if (invalid() !== before + 1) throw new Error(`counted ${invalid() - before} times: ${JSON.stringify(facts)}`)
    if (ms > 1_000) throw new Error(`waited: ${JSON.stringify(facts)}`)
    const value = bytes.subarray(bytes.indexOf('\n'))
    const isOverwritten = async () => {
      const now = await client.getBuffer(name)
      return now !== null && !now.equals(put) && now.subarray(-value.length).equals(value)
    }
    await until(isOverwritten, { describe: `it is overwritten: ${JSON.stringify(facts)}` })
  }
  await fc.assert(fc.asyncProperty(poison, isClean), { numRuns: RUNS + RUNS / 5, endOnFailure: true })
  t.ok(poisoned >= RUNS, `${poisoned} cases, without those that a change left as they were`)
  t.equal(invalid(), poisoned, 'and nothing else was taken for poison')
  for (const { user, url } of targets) t.match((await user.get(url)).headers['cache-status'], 'detail=redis')

  await t.test('nobody becomes somebody else: what proves who somebody is is not even looked for there', async (t) => {
    const [attacker, victim] = [targets[0]!.user, targets.at(-1)!.user]
    const prefix = stored[0]!.name.slice(0, -targets[0]!.key.length)
    const hash = createHash('sha256').update(attacker.token).digest('hex')
    const { text } = await victim.get('/api/users/me')
    const header = stored[0]!.bytes.toString().split('\n')[0]
    await client.set(`${prefix}${attacker.id}/profile`, `${header}\n"1"\n${text}`)
    await client.set(`${prefix}${attacker.id}/tokens/${hash}`, `${header}\n"1"\n{"id":"x","expires_at_ms":null}`)
    await service.app.cache.clear()
    t.equal((await attacker.get('/api/users/me')).body.id, attacker.id)
    t.equal(invalid(), poisoned)
  })
})

/** Six entries of two users, of every kind that Redis holds, and a memory so small that each is read from there. */
async function poisonable(t: Test): Promise<World> {
  const server = await startRedis()
  const client = new Redis(server.url)
  t.teardown(async () => {
    client.disconnect()
    await server.stop()
  })
  const env = { REDIS_URL: server.url, CACHE_MAX_MEMORY_ITEMS: '1', REDIS_COMMAND_TIMEOUT_MS: '5000' }
  const service = await startService(t, { env })
  const targets: Target[] = []
  for (const user of [await service.newUser(), await service.newUser()]) {
    const template = { name: 'mug', title: 'A mug', platform: 'etsy', product_type: 'mug' }
    const { body: made } = await user.post('/api/templates', template)
    const { body: design } = await user.post('/api/designs', { ...DESIGN, template_ids: [made.id] })
    targets.push({ user, url: `/api/designs/${design.id}`, key: `${user.id}/designs/${design.id}` })
    targets.push({ user, url: `/api/templates/${made.id}`, key: `${user.id}/templates/${made.id}` })
    targets.push({ user, url: '/api/designs', key: `${user.id}/designs?limit=50` })
  }
  const stored: Stored[] = []
  for (const { user, url, key } of targets) {
    const answer = await user.get(url)
    const name = await until(async () => (await client.keys(`*:e:${key.replace('?', '\\?')}`))[0], {
      describe: `${url} is in Redis`,
    })
    stored.push({ name, answer, bytes: (await client.getBuffer(name)) ?? Buffer.alloc(0) })
    const again = await user.get(url)
    if (!again.headers['cache-status']?.includes('detail=redis')) throw new Error(`${url} is not read from Redis`)
  }
  const names = await client.keys('*')
  t.notOk(
    names.some((name) => /profile|tokens/.test(name)),
    'what proves who somebody is never goes there',
  )
  return { service, client, targets, stored }
}
