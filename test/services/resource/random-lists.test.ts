import t from 'tap'
import { type Caller, databaseOf, startService } from '../../helpers/app.js'
import { Seeded } from '../../helpers/seeded.js'

/*
 * Lists asked for at random, page by page, beside what docs/lists.md says of them, done here over all rows. Between rounds some rows change.
 */

const SEED = 20_261_127
const ROWS = 260
const ROUNDS = 3
const QUERIES = 30
const CHANGES = 24

const WORDS = ['fox', 'Foxglove', 'créme', 'Creme-brulee', 'été', 'Ångström', 'red', 'RED2', 'mug', 'ñandú', 'zebra_9']
const TAGS = ['Summer', 'summer', 'été', 'Été', 'sale 10%', 'a,b', 'fox']
const PLATFORMS = ['etsy', 'shopify', 'printify']

interface Row {
  readonly id: string
  readonly filename: string
  readonly description: string | null
  readonly tags: readonly string[]
  readonly platform: string
  readonly is_active: boolean
  readonly template_ids: readonly string[]
  readonly external_id: string | null
  /** Microseconds since 1970. */
  readonly created: bigint
  readonly updated: bigint
}

interface Query {
  readonly sort?: string
  readonly q?: string
  readonly tag?: readonly string[]
  readonly any_tag?: readonly string[]
  readonly platform?: string
  readonly is_active?: boolean
  readonly template_id?: string
  readonly external_id?: string
  readonly updated_since?: bigint
}

/** Without case and accents. */
const folded = (text: string): string => text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
const wordsIn = (text: string): string[] => folded(text).match(/[\p{L}\p{N}]+/gu) ?? []
const lowered = (tag: string): string => tag.toLowerCase()

function fits(row: Row, query: Query): boolean {
  const words = [row.filename, row.description ?? '', ...row.tags].flatMap(wordsIn)
  const tags = row.tags.map(lowered)
  return [
    wordsIn(query.q ?? '').every((wanted) => words.some((word) => word.startsWith(wanted))),
    (query.tag ?? []).every((tag) => tags.includes(lowered(tag))),
    query.any_tag === undefined || query.any_tag.some((tag) => tags.includes(lowered(tag))),
    query.platform === undefined || row.platform === query.platform,
    query.is_active === undefined || row.is_active === query.is_active,
    query.template_id === undefined || row.template_ids.includes(query.template_id),
    query.external_id === undefined || row.external_id === query.external_id,
    query.updated_since === undefined || row.updated >= query.updated_since,
  ].every(Boolean)
}

function expected(rows: readonly Row[], query: Query): string[] {
  const { sort = '-created' } = query
  const sign = sort.startsWith('-') ? -1 : 1
  const keyOf = (row: Row): string | bigint =>
    sort.endsWith('name') ? folded(row.filename) : sort.endsWith('updated') ? row.updated : row.created
  const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0)
  return rows
    .filter((row) => fits(row, query))
    .toSorted((a, b) => sign * (order(keyOf(a), keyOf(b)) || order(a.id, b.id)))
    .map(({ id }) => id)
}

/** Of microseconds since 1970. */
function instant(microseconds: bigint): string {
  const whole = new Date(Number(microseconds / 1_000_000n) * 1_000).toISOString().slice(0, 19)
  return `${whole}.${`${microseconds % 1_000_000n}`.padStart(6, '0')}Z`
}

function pathOf({ updated_since: since, any_tag: any, tag = [], ...query }: Query): string {
  const fields = new URLSearchParams(tag.map((each): [string, string] => ['tag', each]))
  if (any !== undefined) fields.set('any_tag', any.join(','))
  if (since !== undefined) fields.set('updated_since', instant(since))
  for (const [name, value] of Object.entries(query)) fields.set(name, String(value))
  return `/api/designs?${fields.toString()}`
}

function anyQuery(random: Seeded, rows: readonly Row[], templates: readonly string[]): Query {
  const maybe = <T>(part: number, make: () => T): T | undefined => (random.next() < part ? make() : undefined)
  const some = (from: readonly string[]): string[] => random.shuffled(from).slice(0, random.between(1, 2))
  const given = {
    sort: maybe(0.7, () => random.pick(['created', '-created', 'updated', '-updated', 'name', '-name'])),
    q: maybe(0.35, () =>
      some(WORDS)
        .map((word) => word.slice(0, random.between(1, word.length)))
        .join(' '),
    ),
    tag: maybe(0.25, () => some(TAGS)),
    any_tag: maybe(0.25, () => some(TAGS.filter((tag) => !tag.includes(',')))),
    platform: maybe(0.3, () => random.pick(PLATFORMS)),
    is_active: maybe(0.3, () => random.next() < 0.5),
    template_id: maybe(0.15, () => random.pick(templates)),
    external_id: maybe(0.05, () => `sku ${random.below(ROWS)}`),
    updated_since: maybe(0.25, () => random.pick(rows).updated),
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

async function pagesOf(user: Caller, path: string, random: Seeded) {
  const ids: string[] = []
  const totals = new Set<unknown>()
  for (let cursor = ''; ;) {
    const more = `limit=${random.between(1, 60)}&total=true${cursor}`
    const { status, body } = await user.get(`${path}${path.endsWith('?') ? '' : '&'}${more}`)
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
    ids.push(...body.items.map(({ id }: { id: string }) => id))
    totals.add(body.total)
    if (body.next_cursor === null) return { ids, totals: [...totals] }
    cursor = `&cursor=${encodeURIComponent(body.next_cursor)}`
  }
}

for (const isEmbedded of [false, true]) {
  t.test(`lists at random, ${isEmbedded ? 'embedded' : 'PostgreSQL'}, seed ${SEED}`, async (t) => {
    const { app, newUser } = await startService(t, { env: await databaseOf(t, { isEmbedded }) })
    const random = new Seeded(SEED)
    const [user, other] = [await newUser(), await newUser()]
    const templates: string[] = []
    for (const name of ['one', 'two']) {
      const { body } = await user.post('/api/templates', { name, title: name, platform: 'etsy', product_type: 'mug' })
      templates.push(body.id)
    }
    const design = (n: number, own: boolean) => ({
      filename: `${random
        .shuffled(WORDS)
        .slice(0, 2)
        .join(random.pick([' ', '-', '_', '.']))}.png`,
      file_path: `/${n}.png`,
      platform: random.pick(PLATFORMS),
      is_active: random.next() < 0.6,
      tags: random.shuffled(TAGS).slice(0, random.below(4)),
      ...(random.next() < 0.5 && { description: random.shuffled(WORDS).slice(0, 3).join(' ') }),
      ...(own && random.next() < 0.4 && { template_ids: [random.pick(templates)] }),
      ...(random.next() < 0.3 && { external_id: `sku ${n}` }),
    })
    for (const [who, isOwn] of [
      [user, true],
      [other, false],
    ] as const) {
      const operations = Array.from({ length: ROWS }, (_, n) => ({ op: 'create', row: design(n, isOwn) }))
      for (let at = 0; at < ROWS; at += 65) {
        const { status, body } = await who.post('/api/designs/bulk', { operations: operations.slice(at, at + 65) })
        if (status !== 200) throw new Error(JSON.stringify(body))
        for (const { id } of random.shuffled<{ id: string }>(body.results).slice(0, 12)) {
          await who.patch(`/api/designs/${id}`, { is_digital: random.next() < 0.5 })
        }
      }
    }
    const known = async (): Promise<readonly Row[]> => {
      const rows = await app.db.query<Row & { readonly c: string; readonly u: string }>({
        name: 'test',
        text: `select *, (extract(epoch from created_at) * 1000000)::bigint::text as c,
          (extract(epoch from updated_at) * 1000000)::bigint::text as u from designs where user_id = $1`,
        values: [user.id],
      })
      return rows.map((row) => ({ ...row, created: BigInt(row.c), updated: BigInt(row.u) }))
    }
    for (let round = 0; round < ROUNDS; round++) {
      const rows = await known()
      for (let n = 0; n < QUERIES; n++) {
        const query = anyQuery(random, rows, templates)
        const path = pathOf(query)
        const wanted = expected(rows, query)
        t.same(await pagesOf(user, path, random), { ids: wanted, totals: [wanted.length] }, path)
      }
      // What was read is cached by now.
      for (const [n, { id }] of random.shuffled(rows).slice(0, CHANGES).entries()) {
        const { external_id: _, ...change } = design(n, true)
        const answer = n % 4 === 0 ? user.delete(`/api/designs/${id}`) : user.patch(`/api/designs/${id}`, change)
        if ((await answer).status >= 300) throw new Error(`${id}: ${JSON.stringify((await answer).body)}`)
      }
    }
  })
}
