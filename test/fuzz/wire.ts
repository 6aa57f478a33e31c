import type { Seeded } from '../helpers/seeded.js'
import type { Cast, Sender, Shot } from './cast.js'

/** Rows with such an external_id are there only if somebody got a request in another one past the parser. */
export const SMUGGLED = 'smuggled-'

type Trick = readonly [name: string, bytes: (parts: Parts) => string]

interface Parts {
  /** A write of bob's: its line and headers, without those that say how long it is. */
  readonly post: string
  /** A read of bob's, the same. */
  readonly get: string
  /** A whole request that must never be carried out. */
  readonly hidden: string
}

const chunked = 'Transfer-Encoding: chunked\r\n'
const lengthOf = (body: string): string => `Content-Length: ${body.length}\r\n`

/** Ways to say how long a body is, of which two programs may believe two things (RFC 9112, 6.3): refused, and the connection ends. */
const LENGTHS = [
  'Content-Length: 6\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 6',
  'Content-Length: 0\r\ntransfer-encoding: CHUNKED',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked\0',
  'Content-Length: 0\r\n Transfer-Encoding: chunked',
  'X: y\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 0',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: -1',
  'Content-Length: 0x5',
  'Content-Length: 1e1',
  'Content-Length: 5 5',
  'Content-Length: 5\0',
  'Content-Length: 18446744073709551621',
  'Content-Length : 5',
  'Content-Length: 0\nTransfer-Encoding: chunked',
  'Content-Length: 0\rTransfer-Encoding: chunked',
]

/** Chunks that are none. */
const CHUNKS = [
  '0x5\r\nhello\r\n',
  '+5\r\nhello\r\n',
  '-1\r\nhello\r\n',
  ' 5\r\nhello\r\n',
  '5 \r\nhello\r\n',
  'ffffffffffffffffff\r\nhello\r\n',
  'g\r\nhello\r\n',
  '\r\nhello\r\n',
  '5\nhello\r\n',
  '5;a\nb\r\nhello\r\n',
  '5\r\nhelloX\r\n',
  '5\r\nhello0\r\n\r\n',
  '0\r\n\rX',
]

/** Lines of a head that are none. */
const LINES = [
  'no colon',
  ': no name',
  'a b: c',
  'a\0b: c',
  'a: b\0c',
  'a: b\rc: d',
  'a: b\n c: d',
  '\xe9: b',
  'a(b): c',
]

const REFUSED: readonly Trick[] = [
  ...LENGTHS.map((line): Trick => ['two lengths', ({ post, hidden }) => `${post}${line}\r\n\r\n0\r\n\r\n${hidden}`]),
  ...CHUNKS.map((chunk): Trick => [
    'broken chunk',
    ({ post, hidden }) => `${post}${chunked}\r\n${chunk}0\r\n\r\n${hidden}`,
  ]),
  ...LINES.map((line): Trick => ['broken line', ({ get, hidden }) => `${get}${line}\r\n\r\n${hidden}`]),
  ['codings', ({ post, hidden }) => `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${hidden}`],
  ['an empty coding', ({ post, hidden }) => `${post}Transfer-Encoding:\r\n${lengthOf(hidden)}\r\n${hidden}`],
  ['bare LF', ({ get, hidden }) => `${get}\r\n`.replaceAll('\r\n', '\n') + hidden],
  ['bare CR', ({ get, hidden }) => `${get}\r\n`.replaceAll('\r\n', '\r') + hidden],
  ['NUL in the target', ({ get, hidden }) => `${get.replace('/designs', '/des\0igns')}\r\n${hidden}`],
  ['space in the target', ({ get, hidden }) => `${get.replace('/designs', '/designs x')}\r\n${hidden}`],
  ['HTTP/2', ({ hidden }) => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
  ['HTTP/9.9', ({ get, hidden }) => `${get.replace('/1.1', '/9.9')}\r\n${hidden}`],
  ['TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['two hosts', ({ get }) => `${get}Host: a.example\r\n\r\n`],
  ['two tokens', ({ get }) => `${get}Authorization: Bearer x\r\n\r\n`],
  ['a host that is none', ({ get }) => `${get.replace('Host: localhost', 'Host: a/b@c d')}\r\n`],
]

const TOO_LARGE: readonly Trick[] = [
  ['a huge line', ({ get, hidden }) => `${get}X: ${'x'.repeat(70_000)}\r\n\r\n${hidden}`],
  ['a huge name', ({ get, hidden }) => `${get}${'x'.repeat(70_000)}: x\r\n\r\n${hidden}`],
  ['a huge target', ({ get, hidden }) => `${get.replace('/designs', `/${'x'.repeat(70_000)}`)}\r\n${hidden}`],
  ['many lines', ({ get, hidden }) => `${get}${'a:\r\n'.repeat(20_000)}\r\n${hidden}`],
]

/** One request, however much it looks like two. */
const SINGLE: readonly Trick[] = [
  ['a read with a body', ({ get, hidden }) => `${get}${lengthOf(hidden)}\r\n${hidden}`],
  [
    'a read with chunks',
    ({ get, hidden }) => `${get}${chunked}\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
  ],
  ['a refused body', ({ post, hidden }) => `${post.replace(/Bearer \S+/, 'Bearer x')}${lengthOf(hidden)}\r\n${hidden}`],
  ['a body of another type', ({ post, hidden }) => `${post.replace('/json', '/x')}${lengthOf(hidden)}\r\n${hidden}`],
  ['a body nobody takes', ({ post, hidden }) => `${post.replace('/designs', '/no')}${lengthOf(hidden)}\r\n${hidden}`],
  ['100-continue', ({ post, hidden }) => `${post}Expect: 100-continue\r\n${lengthOf(hidden)}\r\n${hidden}`],
  [
    'trailers',
    ({ post }) =>
      `${post.replace(/Auth.*\r\n/, '')}${chunked}Trailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nContent-Length: 9\r\n\r\n`,
  ],
  ['another host', ({ get }) => `${get.replace('/api', 'http://a.example/api')}\r\n`],
  ['HTTP/0.9', ({ hidden }) => `GET /api/designs\r\n\r\n${hidden}`],
  ['CONNECT', ({ get, hidden }) => `${get.replace('GET /api/designs', 'CONNECT a.example:443')}\r\n${hidden}`],
  ['many lines', ({ get }) => `${get}${'a:\r\n'.repeat(2_500)}\r\n`],
]

/** What browsers and proxies do not send. */
export class Wire {
  readonly #random: Seeded
  readonly #cast: Cast
  #count = 0

  constructor(random: Seeded, cast: Cast) {
    this.#random = random
    this.#cast = cast
  }

  next(whole: () => Shot): Shot {
    this.#count += 1
    const kind = this.#random.below(10)
    if (kind < 4)
      return this.#trick(this.#random.pick(REFUSED), { statuses: [400, 405, 501], answers: { least: 1, most: 1 } })
    if (kind === 4)
      return this.#trick(this.#random.pick(TOO_LARGE), { statuses: [431], answers: { least: 1, most: 1 } })
    if (kind < 7) return this.#trick(this.#random.pick(SINGLE), { answers: { least: 1, most: 1 } })
    if (kind === 7) return this.#pipeline()
    if (kind === 8) return this.#slow()
    return this.#damaged(whole())
  }

  #trick([name, bytes]: Trick, judged: Pick<Shot, 'statuses' | 'answers'>): Shot {
    const body = '{"filename":"smuggled.png","file_path":"/smuggled.png","platform":"etsy"}'
    const alice = `Host: localhost\r\nAuthorization: Bearer ${this.#cast.tokens.alice}\r\n`
    const bob = `Host: localhost\r\nAuthorization: Bearer ${this.#cast.tokens.bob}\r\n`
    const type = 'Content-Type: application/json\r\n'
    const text = bytes({
      post: `POST /api/designs HTTP/1.1\r\n${bob}${type}`,
      get: `GET /api/designs HTTP/1.1\r\n${bob}`,
      hidden: `PUT /api/designs/by-external-id/${SMUGGLED}${this.#count} HTTP/1.1\r\n${alice}${type}${lengthOf(body)}\r\n${body}`,
    })
    const pieces = [Buffer.from(text, 'latin1')]
    return { sender: 'bob', route: `wire: ${name}`, pieces, methods: ['GET'], ...judged }
  }

  /** Several callers behind one connection, as behind a proxy: each gets their own answers, in order. */
  #pipeline(): Shot {
    const paths = ['/api/designs', '/api/templates', '/api/mockups', '/api/users/me', '/api/designs?limit=1&total=true']
    const turns = Array.from({ length: 2 + this.#random.below(12) }, (): Sender =>
      this.#random.pick(['alice', 'bob', 'nobody'] as const),
    )
    const texts = turns.map((sender) => {
      const token =
        sender === 'alice' || sender === 'bob' ? `Authorization: Bearer ${this.#cast.tokens[sender]}\r\n` : ''
      return `GET ${this.#random.pick(paths)} HTTP/1.1\r\nHost: localhost\r\n${token}\r\n`
    })
    const answers = { least: turns.length, most: turns.length }
    const pieces = [Buffer.from(texts.join(''))]
    return { sender: 'alice', route: 'wire: pipeline', pieces, methods: turns.map(() => 'GET'), answers, turns }
  }

  /** One byte after the other. */
  #slow(): Shot {
    const text = `GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.#cast.tokens.alice}\r\n\r\n`
    const pieces = Array.from(text, (byte) => Buffer.from(byte))
    return { sender: 'alice', route: 'wire: byte by byte', pieces, methods: ['GET'], answers: { least: 1, most: 1 } }
  }

  /** Some bytes are others, and often the end is missing. */
  #damaged({ sender, pieces, methods }: Shot): Shot {
    const copy = Buffer.concat(pieces)
    for (let n = this.#random.below(5); n > 0; n -= 1) copy[this.#random.below(copy.length)] = this.#random.below(256)
    const cut = copy.subarray(0, 1 + this.#random.below(copy.length))
    const bytes = this.#random.next() < 0.5 ? copy : cut
    const isHalfClosed = this.#random.next() < 0.8
    return { sender, route: 'wire: damaged', pieces: [bytes], methods, answers: { least: 0, most: 2 }, isHalfClosed }
  }
}
