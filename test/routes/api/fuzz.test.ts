import type { AddressInfo } from 'node:net'
import t from 'tap'
import { ADMIN_TOKEN, startService } from '../../helpers/app.js'
import { exchange, type RawAnswer } from '../../helpers/raw-http.js'

/** `FUZZ_REQUESTS=20000` for more, `FUZZ_SEED` for the same ones again. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 400)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)
const AT_ONCE = 16
/** What was cut off is waited for by the server, too. */
const [PATIENT_MS, IMPATIENT_MS] = [20_000, 300]

t.setTimeout(60_000 + REQUESTS * 30)

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

class Fuzzer {
  readonly #random: () => number
  readonly #ids: readonly string[]
  readonly #tokens: readonly string[]

  constructor(seed: number, ids: readonly string[], tokens: readonly string[]) {
    this.#random = randomOf(seed)
    this.#ids = ids
    this.#tokens = tokens
  }

  /** A request's bytes, and whether the server has all of it. */
  request(): { readonly bytes: Buffer; readonly isWhole: boolean; readonly isHead: boolean } {
    const method = this.#pick(METHODS)
    const target = this.#target()
    const body = this.#chance(0.6)
      ? Buffer.from(this.#body(target), this.#chance(0.9) ? 'utf8' : 'latin1')
      : Buffer.alloc(0)
    const lines = [`${method} ${target} HTTP/1.${this.#chance(0.95) ? 1 : 0}`, 'Connection: close']
    if (this.#chance(0.97)) lines.push('Host: localhost')
    if (this.#chance(0.9))
      lines.push(`Authorization: ${this.#pick(['Bearer', 'bearer', 'Basic'])} ${this.#pick(this.#tokens)}`)
    if (this.#chance(0.8)) lines.push(`Content-Type: ${this.#pick(TYPES)}`)
    for (let n = this.#below(4); n > 0; n -= 1) lines.push(this.#pick(HEADERS).replaceAll('ID', this.#pick(this.#ids)))
    const isChunked = this.#chance(0.15)
    if (isChunked) lines.push('Transfer-Encoding: chunked')
    else if (body.length > 0 || this.#chance(0.3)) lines.push(`Content-Length: ${body.length}`)
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    const chunked = [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]
    const whole = Buffer.concat([
      head,
      ...(isChunked && body.length > 0 ? chunked : [isChunked ? Buffer.from('0\r\n\r\n') : body]),
    ])
    const isWhole = this.#chance(0.85)
    return { bytes: isWhole ? whole : this.#damaged(whole), isWhole, isHead: method === 'HEAD' }
  }

  #damaged(bytes: Buffer): Buffer {
    const copy = Buffer.from(bytes)
    for (let n = 1 + this.#below(4); n > 0; n -= 1) copy[this.#below(copy.length)] = this.#below(256)
    return this.#chance(0.5) ? copy : copy.subarray(0, 1 + this.#below(copy.length))
  }

  #target(): string {
    const path = this.#pick(PATHS).replaceAll('ID', () => this.#pick([...this.#ids, ...SEGMENTS]))
    const slash = this.#chance(0.1) ? '/' : ''
    const query = Array.from(
      { length: this.#below(4) },
      () => `${this.#pick(KEYS)}=${this.#pick([...VALUES, ...this.#ids])}`,
    )
    return `${path}${slash}${query.length > 0 ? '?' : ''}${query.join('&')}`
  }

  /** Often what the target takes, with a field or two of another kind. */
  #body(target: string): string {
    if (this.#chance(0.15)) return this.#pick(BODIES)
    const fields = Array.from({ length: this.#below(3) }, () => [this.#pick(FIELDS), this.#value(0)])
    const known = GOOD.find(([name]) => target.includes(name))?.[1]
    const base = known === undefined || this.#chance(0.2) ? {} : known
    return JSON.stringify({ ...base, ...Object.fromEntries(fields) }).replaceAll('"ID"', `"${this.#pick(this.#ids)}"`)
  }

  #value(depth: number): unknown {
    const kind = this.#below(depth > 3 ? 6 : 8)
    if (kind < 4) return this.#pick(SCALARS)
    if (kind < 6) return this.#pick([...this.#ids, 'etsy', 'a@example.com'])
    const inner = Array.from({ length: this.#below(4) }, () => this.#value(depth + 1))
    return kind === 6 ? inner : Object.fromEntries(inner.map((value) => [this.#pick(FIELDS), value]))
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#below(items.length)]
    if (item === undefined) throw new Error('Nothing to pick from')
    return item
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }
}

const METHODS = 'GET GET GET POST POST PATCH PATCH DELETE PUT HEAD OPTIONS TRACE PROPFIND QUERY FOO'.split(' ')
const PATHS = [
  ...['designs', 'templates', 'mockups'].flatMap((name) =>
    ['', '/ID', '/bulk', '/by-external-id/ID'].map((rest) => `/api/${name}${rest}`),
  ),
  '/api/users',
  '/api/users/me',
  '/api/users/ID',
  '/api/users/ID/tokens',
  '/api/users/ID/tokens/ID',
  '/api/cache/stats',
  '/api/cache/health',
  '/api/cache/inspect',
  '/api/cache/clear',
  '/api/cache/clear/user/ID',
  '/api/cache/clear/template/ID',
  '/api/designs/ID/ID',
  '/api//designs',
  'http://x/api/designs',
  '/nowhere/ID',
  '/',
  '*',
]
const SEGMENTS = [
  '1',
  'me',
  '%00',
  '%e9',
  'Caf%C3%A9',
  '%',
  '..',
  '.',
  'x'.repeat(300),
  '%2F',
  '%F0%9F%91%A9',
  '~',
  'a;b',
  '#',
]
const KEYS =
  'limit cursor ids ids[] platform is_active tag template_id design_id product_type key _ x __proto__ %e9 external_id'.split(
    ' ',
  )
const VALUES = [
  '',
  '1',
  '100',
  '0',
  '-1',
  '1e9',
  'etsy',
  'true',
  'True',
  'x',
  '%00',
  '%e9',
  '%',
  'a,b',
  '%F0%9F%91%A9',
  'y'.repeat(500),
]
const FIELDS =
  'filename file_path platform name title description tags price product_type is_active atomic operations op row template_id design_id images template_ids email shop_name role starting_name external_id metadata expires_at id version created_at __proto__ constructor cents currency masks'.split(
    ' ',
  )
const SCALARS = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  2 ** 31,
  0.5,
  '',
  'x',
  'a\0b',
  '\ud800',
  'Cafe\u0301',
  'x'.repeat(6_000),
  'etsy',
  {},
  [],
]
const GOOD: readonly (readonly [part: string, body: object])[] = [
  [
    '/bulk',
    {
      operations: [
        { op: 'create', row: { filename: 'a.png', file_path: '/a.png', platform: 'etsy' } },
        { op: 'upsert', external_id: 'x', row: { name: 'n', title: 't', platform: 'etsy', product_type: 'mug' } },
        { op: 'update', id: 'ID', row: { tags: [] } },
        { op: 'delete', external_id: 'y' },
      ],
    },
  ],
  ['tokens', { name: 'n' }],
  ['designs', { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }],
  ['templates', { name: 'n', title: 't', platform: 'etsy', product_type: 'mug' }],
  ['mockups', { name: 'm', template_id: 'ID', images: [{ filename: 'i', file_path: '/i', masks: [[[1, 2]]] }] }],
  ['users', { email: 'fuzz@example.com', shop_name: 'x' }],
]
const BODIES = [
  '{',
  '[]',
  'null',
  '1',
  '"x"',
  '{}',
  '\ufeff{}',
  '{"a":1}{"b":2}',
  '[[[['.repeat(500),
  'a=b&c=d',
  '\0',
  '{"__proto__":{}}',
]
const JSON_TYPE = 'application/json'
const TYPES = [
  JSON_TYPE,
  JSON_TYPE,
  JSON_TYPE,
  `${JSON_TYPE};charset=utf-8`,
  'text/plain',
  'x',
  'application/json;charset=latin1',
  '',
]
const HEADERS = [
  'If-Match: *',
  'If-Match: "ID"',
  'If-Match: W/"x", "y-gzip"',
  'If-Match: nonsense',
  'If-None-Match: *',
  'If-None-Match: "x"',
  'If-None-Match: ,',
  'Content-Encoding: gzip',
  'Expect: 100-continue',
  'Expect: wonders',
  'Accept-Encoding: gzip;q=2, *',
  'Origin: https://a.example',
  'Idempotency-Key: "ID"',
  'Idempotency-Key: \x01',
  'Roundhouse-Min-Version: x',
  'X-Railway-Request-Id: \xe9',
  'Cookie: a=b',
  'Range: bytes=0-1',
  'Upgrade: websocket',
  'Accept-Version: 7',
  'X-HTTP-Method-Override: DELETE',
]

function bodyFor(part: string): object {
  return GOOD.find(([name]) => name === part)?.[1] ?? {}
}

/** What is wrong with an answer; `undefined` when nothing is. */
function fault(
  answer: RawAnswer,
  { isWhole, isHead }: { readonly isWhole: boolean; readonly isHead: boolean },
): string | undefined {
  if (answer.text === '') return isWhole ? 'no answer' : undefined
  if (!Number.isInteger(answer.status) || answer.status >= 500) return 'not an answer that a caller can bring about'
  if (answer.status < 400 || (isHead && answer.body.code === undefined)) return undefined
  const { statusCode, code, error, message, results, ...others } = answer.body
  const isShaped =
    statusCode === answer.status && [code, error, message].every((text) => typeof text === 'string' && text !== '')
  return isShaped && Object.keys(others).length === 0 && (results === undefined || code === 'BULK_REFUSED')
    ? undefined
    : 'not the one shape of errors'
}

t.test(`whatever is asked gets no 5xx, and errors have one shape (FUZZ_SEED=${SEED})`, async (t) => {
  const { app, newUser } = await startService(t, { env: { CORS_ORIGINS: 'https://a.example' } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  // Of the one an administrator's token may be made to delete, the other asks.
  const [user, victim] = [await newUser(), await newUser()]
  const { body: template } = await user.post('/api/templates', bodyFor('templates'))
  const { body: design } = await user.post('/api/designs', bodyFor('designs'))
  const fuzzer = new Fuzzer(SEED, [victim.id, template.id, design.id], [user.token, user.token, ADMIN_TOKEN, 'x', ''])
  const counts = new Map<number, number>()
  let left = REQUESTS

  async function ask(): Promise<void> {
    while (left > 0) {
      left -= 1
      const request = fuzzer.request()
      const answer = await exchange(port, [request.bytes], request.isWhole ? PATIENT_MS : IMPATIENT_MS)
      counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1)
      const found = fault(answer, request)
      if (found !== undefined)
        t.fail(found, {
          request: request.bytes.toString('latin1').slice(0, 2_000),
          answer: answer.text.slice(0, 1_000),
        })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, ask))
  t.comment(
    [...counts]
      .sort(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  )
  t.equal((await user.get('/api/users/me')).status, 200, 'and the service is as it was')
})
