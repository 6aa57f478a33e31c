import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { secretsOf } from '../../services/secrets.js'
import { TokenTexts } from '../../services/users/token-text.js'
import { packUuid } from '../../services/uuid-text.js'
import { startService, type Answer } from '../helpers/app.js'
import { Seeded } from '../helpers/seeded.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

/**
 * Of each kind. What two kinds that take the same time differ by chance is then 0.033 (one standard deviation of the share below): a
 * difference of six is no chance, and whatever disturbs this process disturbs both.
 */
const ROUNDS = 150
const MOST_APART = 0.2

type Ask = (round: number) => Promise<Answer>

interface Compared {
  /** How often a request of the first kind took longer than one of the second: a half, if nobody can tell. */
  readonly share: number
  readonly medians: readonly [ms: number, ms: number]
}

/** Asks two kinds of things in turn, in an order of chance, each answered before the next. */
async function compare(first: Ask, second: Ask, isExpected: (answer: Answer) => boolean): Promise<Compared> {
  const random = new Seeded(1)
  const kinds = [first, second] as const
  const times: [number[], number[]] = [[], []]
  for (let round = -20; round < ROUNDS; round += 1) {
    for (const kind of random.shuffled([0, 1] as const)) {
      const startedAt = performance.now()
      const answer = await kinds[kind](round)
      if (round >= 0) times[kind].push(performance.now() - startedAt)
      if (!isExpected(answer)) throw new Error(`${answer.status} ${answer.text}`)
    }
  }
  const [a, b] = times
  const above = a.reduce(
    (sum, ms) => sum + b.filter((other) => ms > other).length + b.filter((other) => ms === other).length / 2,
    0,
  )
  const median = (values: number[]): number => values.toSorted((x, y) => x - y)[values.length >> 1] ?? Number.NaN
  return { share: above / (a.length * b.length), medians: [median(a), median(b)] }
}

const is404 = ({ status, body }: Answer): boolean => status === 404 && body.code === 'NOT_FOUND'
const is401 = ({ status }: Answer): boolean => status === 401

t.setTimeout(120_000)

t.test('how long a refusal takes does not tell what is there', { timeout: 120_000 }, async (t) => {
  const env = { DATABASE_URL: await (await sharedPostgres(t)).serviceDatabase(), CACHE_MAX_MEMORY_ITEMS: '50000' }
  const { app, admin, anonymous, newUser } = await startService(t, { env })
  const [asker, owner] = [await newUser(), await newUser()]
  const operations = Array.from({ length: ROUNDS * 3 }, (_, n) => ({
    op: 'create',
    row: { filename: 'a.png', file_path: '/a.png', platform: 'etsy', external_id: `sku-${n}` },
  }))
  const { body: bulk } = await owner.post('/api/designs/bulk', { operations })
  const ids: string[] = bulk.results.map(({ id }: { id: string }) => id)
  if (ids.length !== ROUNDS * 3 || ids.some((id) => typeof id !== 'string')) throw new Error('no rows')
  const idOf = (round: number, kind: number): string => ids[kind * ROUNDS + Math.max(0, round)] ?? ''
  // Made at the same time, as far as an id tells, and of nobody.
  const likeIt = (id: string): string => `${id.slice(0, -12)}${randomBytes(6).toString('hex')}`

  const judge = (what: string, { share, medians: [first, second] }: Compared): void => {
    const facts = `${(share * 100).toFixed(0)} % slower, medians ${first.toFixed(3)} and ${second.toFixed(3)} ms`
    t.ok(Math.abs(share - 0.5) < MOST_APART, `${what}: ${facts}`)
  }

  judge(
    'the row of another tenant, by its id, and none, asked for the first time',
    await compare(
      (round) => asker.get(`/api/designs/${idOf(round, 0)}`),
      (round) => asker.get(`/api/designs/${likeIt(idOf(round, 0))}`),
      is404,
    ),
  )
  const [theirs, nobodys] = [idOf(0, 0), likeIt(idOf(0, 0))]
  judge(
    'the same two again and again',
    await compare(
      () => asker.get(`/api/designs/${theirs}`),
      () => asker.get(`/api/designs/${nobodys}`),
      is404,
    ),
  )
  judge(
    'by an external_id that another tenant has, and one that nobody has',
    await compare(
      (round) => asker.get(`/api/designs/by-external-id/sku-${Math.max(0, round)}`),
      (round) => asker.get(`/api/designs/by-external-id/sku-${90_000 + round}`),
      is404,
    ),
  )
  judge(
    'a change of the row of another tenant, and of none',
    await compare(
      (round) => asker.patch(`/api/designs/${idOf(round, 1)}`, { description: 'x' }),
      (round) => asker.patch(`/api/designs/${likeIt(idOf(round, 1))}`, { description: 'x' }),
      is404,
    ),
  )
  judge(
    'a delete',
    await compare(
      (round) => asker.delete(`/api/designs/${idOf(round, 2)}`),
      (round) => asker.delete(`/api/designs/${likeIt(idOf(round, 2))}`),
      is404,
    ),
  )

  const withToken = (token: string): Promise<Answer> =>
    anonymous.get('/api/designs', { authorization: `Bearer ${token}` })
  const altered = (token: string, at: number): string => {
    const other = token.at(at) === 'A' ? 'B' : 'A'
    return token.slice(0, at) + other + (at === -1 ? '' : token.slice(at + 1))
  }
  judge(
    'a MAC that is wrong from its first character on, and in its last but one alone',
    await compare(
      () => withToken(altered(owner.token, -22)),
      () => withToken(altered(owner.token, -2)),
      is401,
    ),
  )
  judge(
    'an admin token that is right but for its end, and one that is wrong throughout',
    await compare(
      () => withToken('an-admin-token-of-the-tests-012345678X'),
      () => withToken('XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX'),
      is401,
    ),
  )
  // Fifty a second of these are looked up; then comes 429, for both kinds alike.
  const old = (userId: string): string => `rh_${packUuid(userId)}_${randomBytes(32).toString('base64url')}`
  judge(
    'a token without a MAC, made up for a user that there is, and for one that there is not',
    await compare(
      () => withToken(old(owner.id)),
      () => withToken(old(randomUUID())),
      ({ status }) => status === 401 || status === 429,
    ),
  )
  const texts = new TokenTexts(await secretsOf(app.db, undefined))
  const revoked: string[] = []
  for (let n = 0; n < 40; n += 1) {
    const { body } = await admin.post(`/api/users/${owner.id}/tokens`, { name: 'gone' })
    revoked.push(body.token)
    await admin.delete(`/api/users/${owner.id}/tokens/${body.id}`)
  }
  const never = revoked.map(() => texts.make(owner.id, randomBytes(32)))
  judge(
    'a token that was revoked, and one that there never was, both with a MAC',
    await compare(
      (round) => withToken(revoked[Math.max(0, round) % revoked.length] ?? ''),
      (round) => withToken(never[Math.max(0, round) % never.length] ?? ''),
      is401,
    ),
  )

  const { share } = await compare(
    () => withToken(texts.make(owner.id, randomBytes(32))),
    () => withToken(altered(owner.token, -2)),
    is401,
  )
  t.ok(share > 0.5 + MOST_APART, `a lookup in the database is told from none: ${(share * 100).toFixed(0)} % slower`)
})
