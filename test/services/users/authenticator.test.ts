import t from 'tap'
import type { Lookup, Outcome } from '../../../services/cache/index.js'
import { Document } from '../../../services/documents/document.js'
import { Authenticator } from '../../../services/users/authenticator.js'
import { tokenHash, TokenTexts } from '../../../services/users/token-text.js'
import { packUuid } from '../../../services/uuid-text.js'

const USER_ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const TEXTS = new TokenTexts(['a secret'])
const TEXT = TEXTS.make(USER_ID, new Uint8Array(32))
const KNOWN = { id: 't', expires_at_ms: 1_000 }
const ACTIVE = { id: USER_ID, role: 'owner', is_active: true }

function lookup(content: object | undefined, outcome: Outcome = 'hit'): Lookup<Document> {
  const value = content && new Document(JSON.stringify(content), '"1"')
  return { value, outcome, tier: 'memory', ttlMs: 1, ageMs: 1, stored: false, collapsed: false }
}

/** An authenticator whose lookups answer `found`, at a time that a test moves. */
function setUp() {
  const found = { token: lookup(KNOWN), profile: lookup(ACTIVE), isInMemory: false, isolatedMs: 0 }
  const asked: string[] = []
  const clock = { ms: 0, now: 0 }
  const authenticator = new Authenticator({
    credentials: {
      read: (text) => TEXTS.read(text),
      find: async ({ userId }, hash) => {
        asked.push(`${userId} ${hash}`)
        return { token: found.token, profile: found.token.value === undefined ? found.token : found.profile }
      },
    },
    staleIfErrorMs: 10_000,
    cache: {
      get isolatedMs() {
        return found.isolatedMs
      },
      peek<Value>(key: string) {
        if (!found.isInMemory) return undefined
        return (key.endsWith('/profile') ? found.profile : found.token) as Lookup<Value>
      },
    },
    wallMs: () => clock.ms,
    now: () => clock.now,
  })
  return { authenticator, found, asked, clock }
}

t.test('looks a token up under the user it names, by its hash', async (t) => {
  const { authenticator, asked } = setUp()
  t.same(await authenticator.authenticate(TEXT), {
    id: USER_ID,
    tokenId: 't',
    role: 'owner',
    isAdmin: false,
    mayInspect: false,
    name: `user ${USER_ID}`,
    isStale: false,
  })
  t.same(asked, [`${USER_ID} ${tokenHash(TEXT)}`])
})

t.test('a text that is no token is refused without a lookup', async (t) => {
  const { authenticator, asked } = setUp()
  for (const text of [
    '',
    'rh_',
    `${TEXT}x`,
    ` ${TEXT}`,
    TEXT.replace('rh', 'RH'),
    new TokenTexts(['another']).make(USER_ID, new Uint8Array(32)),
  ]) {
    t.equal(await authenticator.authenticate(text), undefined)
  }
  t.same(asked, [])
})

t.test('memory answers only for a token that was accepted before', async (t) => {
  const { authenticator, found } = setUp()
  found.isInMemory = true
  t.equal(authenticator.peek(TEXT), undefined)
  await authenticator.authenticate(TEXT)
  t.match(authenticator.peek(TEXT), { id: USER_ID })
  found.isInMemory = false
  t.equal(authenticator.peek(TEXT), undefined)
})

t.test('a token is refused from the millisecond of its expiry on', async (t) => {
  const { authenticator, found, clock } = setUp()
  found.isInMemory = true
  clock.ms = 999
  t.ok(await authenticator.authenticate(TEXT))
  t.ok(authenticator.peek(TEXT))
  clock.ms = 1_000
  t.notOk(authenticator.peek(TEXT))
  t.notOk(await authenticator.authenticate(TEXT))
})

t.test('an unknown token, a missing user and an inactive user are refused', async (t) => {
  const { authenticator, found } = setUp()
  found.profile = lookup({ ...ACTIVE, is_active: false })
  t.notOk(await authenticator.authenticate(TEXT))
  found.profile = lookup(undefined)
  t.notOk(await authenticator.authenticate(TEXT))
  found.profile = lookup(ACTIVE)
  found.token = lookup(undefined)
  t.notOk(await authenticator.authenticate(TEXT))
})

const UNAVAILABLE = { statusCode: 503, code: 'SERVICE_UNAVAILABLE' }

t.test(
  'while the replica is isolated who was known shortly before is let in as such, and nobody is turned away',
  async (t) => {
    const { authenticator, found } = setUp()
    found.token = lookup(KNOWN, 'stale-if-error')
    t.match(await authenticator.authenticate(TEXT), { id: USER_ID, isStale: true })
    found.token = lookup(undefined, 'stale-if-error')
    await t.rejects(authenticator.authenticate(TEXT), UNAVAILABLE, 'it may have been made since')
    found.token = lookup(KNOWN)
    found.profile = lookup(ACTIVE, 'stale-if-error')
    t.match(await authenticator.authenticate(TEXT), { isStale: true })
    for (const profile of [undefined, { ...ACTIVE, is_active: false }]) {
      found.profile = lookup(profile, 'stale-if-error')
      await t.rejects(authenticator.authenticate(TEXT), UNAVAILABLE)
    }
    found.profile = lookup(ACTIVE)
    t.match(await authenticator.authenticate(TEXT), { isStale: false })
  },
)

t.test('shortly before is CACHE_STALE_IF_ERROR_SECONDS before the replica became isolated', async (t) => {
  const aged = (ageMs: number, isolatedMs: number, found: ReturnType<typeof setUp>['found']): void => {
    found.token = { ...found.token, outcome: 'stale-if-error', ageMs }
    found.isolatedMs = isolatedMs
  }
  await t.test('looked up in the database then', async (t) => {
    const { authenticator, found } = setUp()
    for (const isolatedMs of [0, 5_000]) {
      aged(10_000 + isolatedMs, isolatedMs, found)
      t.ok(await authenticator.authenticate(TEXT))
      aged(10_001 + isolatedMs, isolatedMs, found)
      await t.rejects(authenticator.authenticate(TEXT), UNAVAILABLE)
    }
  })
  await t.test('or accepted from memory then', async (t) => {
    const { authenticator, found } = setUp()
    found.token = { ...found.token, ageMs: 0 }
    await authenticator.authenticate(TEXT)
    found.isInMemory = true
    found.token = { ...found.token, ageMs: 500_000 }
    t.ok(authenticator.peek(TEXT))
    found.isInMemory = false
    aged(510_000, 0, found)
    t.ok(await authenticator.authenticate(TEXT))
    aged(510_001, 0, found)
    await t.rejects(authenticator.authenticate(TEXT), UNAVAILABLE)
    // Loaded anew in the background, and not used since.
    found.token = lookup(KNOWN)
    aged(10_001, 0, found)
    await t.rejects(authenticator.authenticate(TEXT), UNAVAILABLE)
  })
})

t.test(
  'memory is asked what the profile and the token say now, not what they said when they were last judged',
  async (t) => {
    const { authenticator, found } = setUp()
    await authenticator.authenticate(TEXT)
    found.isInMemory = true
    t.match(authenticator.peek(TEXT), { role: 'owner' })
    t.match(authenticator.peek(TEXT), { role: 'owner' })
    found.profile = lookup({ ...ACTIVE, role: 'member' })
    t.match(authenticator.peek(TEXT), { role: 'member' })
    found.profile = lookup({ ...ACTIVE, is_active: false })
    t.equal(authenticator.peek(TEXT), undefined)
    found.profile = lookup(ACTIVE)
    t.ok(authenticator.peek(TEXT))
    found.token = lookup({ ...KNOWN, expires_at_ms: -1 })
    t.equal(authenticator.peek(TEXT), undefined)
    found.token = lookup({ ...KNOWN, id: 'another' })
    t.match(authenticator.peek(TEXT), { tokenId: 'another' })
  },
)

t.test('more than ten thousand accepted tokens are remembered; what was not of use goes first', async (t) => {
  const { authenticator, found } = setUp()
  const texts = Array.from({ length: 16_385 }, (_, n) => {
    const secret = Buffer.alloc(32)
    secret.writeUInt32BE(n)
    return TEXTS.make(USER_ID, secret)
  })
  const last = texts.pop() ?? ''
  for (const text of texts) await authenticator.authenticate(text)
  found.isInMemory = true
  for (const text of texts.slice(0, 10)) t.ok(authenticator.peek(text))
  await authenticator.authenticate(last)
  t.ok(authenticator.peek(last))
  t.same(
    texts.flatMap((text, n) => (authenticator.peek(text) === undefined ? [n] : [])),
    [10],
    'the oldest of those that nobody used',
  )
  await authenticator.authenticate(texts[10] ?? '')
  t.same(
    texts.flatMap((text, n) => (authenticator.peek(text) === undefined ? [n] : [])),
    [11],
    'all were of use: the one whose turn it is',
  )
})

t.test(
  'of texts without a MAC fifty a second may be invented; then only those accepted before are looked up',
  async (t) => {
    const { authenticator, found, asked, clock } = setUp()
    const unproven = (n: number): string => `rh_${packUuid(USER_ID)}_${Buffer.alloc(32, n).toString('base64url')}`
    const valid = Array.from({ length: 100 }, (_, n) => authenticator.authenticate(unproven(n)))
    for (const principal of await Promise.all(valid)) t.match(principal, { id: USER_ID }, 'as many as are good')

    found.token = lookup(undefined)
    asked.length = 0
    let refused = 0
    for (let n = 100; n < 160; n++) await authenticator.authenticate(unproven(n)).catch(() => (refused += 1))
    t.same([asked.length, refused], [50, 10])

    found.token = lookup(KNOWN)
    await t.rejects(authenticator.authenticate(unproven(170)), { code: 'TOO_MANY_REQUESTS' })
    t.match(await authenticator.authenticate(unproven(0)), { id: USER_ID })
    t.match(await authenticator.authenticate(TEXT), { id: USER_ID }, 'a token with a MAC is not held up')
    clock.now += 100
    t.match(await authenticator.authenticate(unproven(170)), { id: USER_ID })
  },
)
