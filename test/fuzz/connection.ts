import { connect, type Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'

/** One answer, as it came over the wire. */
export interface WireAnswer {
  readonly status: number
  /** The lines of the head, without the status line. */
  readonly lines: readonly string[]
  /** Unpacked. */
  readonly text: string
  /** A stream of events: it has no end, and `text` is its beginning. */
  readonly isStream: boolean
}

export interface Exchange {
  readonly answers: readonly WireAnswer[]
  /** What came and is no answer; empty when all is well. */
  readonly rest: string
  /** The server ended the connection. */
  readonly isEnded: boolean
  /** Until the last answer, or the end, or until nobody waited any more. */
  readonly ms: number
}

export interface Order {
  readonly pieces: readonly Buffer[]
  /** Of the requests in turn: an answer to HEAD has no body. */
  readonly methods: readonly string[]
  /** So many answers are waited for, for `limitMs`. */
  readonly least: number
  readonly limitMs: number
  /** What may come after them is waited for as long; 0: they are all there can be. */
  readonly quietMs: number
  /** Says that nothing more comes. */
  readonly isHalfClosed: boolean
}

export function headerOf({ lines }: Pick<WireAnswer, 'lines'>, name: string): string {
  const line = lines.find((one) => one.toLowerCase().startsWith(`${name}:`))
  return line === undefined ? '' : line.slice(name.length + 1).trim()
}

/** A connection of bytes, kept for the next exchange where the server leaves it open and nothing is left over. */
export class Connection {
  readonly #port: number
  #socket: Socket | undefined

  constructor(port: number) {
    this.#port = port
  }

  async exchange(order: Order): Promise<Exchange> {
    const socket = this.#socket ?? connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#socket = undefined
    const exchange = await converse(socket, order)
    const isOver = exchange.isEnded || exchange.rest !== '' || exchange.answers.some(closes) || order.isHalfClosed
    if (isOver || order.quietMs > 0 || exchange.answers.length !== order.least) socket.destroy()
    else this.#socket = socket
    return exchange
  }

  close(): void {
    this.#socket?.destroy()
  }
}

function closes(answer: WireAnswer): boolean {
  return answer.isStream || headerOf(answer, 'connection').toLowerCase() === 'close'
}

function converse(socket: Socket, order: Order): Promise<Exchange> {
  const { pieces, methods, least, limitMs, quietMs, isHalfClosed } = order
  const startedAt = performance.now()
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0)
    let lastAt = startedAt
    const done = (isEnded: boolean): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      // What comes after the end of an exchange is nobody's.
      socket.on('error', () => {})
      resolve({ ...answersOf(received, methods, isEnded), isEnded, ms: lastAt - startedAt })
    }
    let timer = setTimeout(done, least === 0 ? quietMs : limitMs, false)
    socket.on('data', (chunk: Buffer) => {
      lastAt = performance.now()
      received = Buffer.concat([received, chunk])
      if (answersOf(received, methods, false).answers.length < least) return
      clearTimeout(timer)
      if (quietMs === 0) done(false)
      else timer = setTimeout(done, quietMs, false)
    })
    for (const event of ['end', 'close', 'error']) socket.on(event, () => done(true))
    for (const piece of pieces) socket.write(piece)
    if (isHalfClosed) socket.end()
  })
}

const HEAD_END = '\r\n\r\n'

/** All whole answers at the beginning of `bytes`, and what is left. */
function answersOf(
  bytes: Buffer,
  methods: readonly string[],
  isEnded: boolean,
): { readonly answers: WireAnswer[]; readonly rest: string } {
  const answers: WireAnswer[] = []
  let at = 0
  while (at < bytes.length) {
    const headEnd = bytes.indexOf(HEAD_END, at)
    if (headEnd < 0) break
    const [first = '', ...lines] = bytes.subarray(at, headEnd).toString('latin1').split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
    if (!Number.isInteger(status)) break
    const bodyAt = headEnd + HEAD_END.length
    if (status < 200) {
      at = bodyAt
      continue
    }
    const isEmpty = methods[answers.length] === 'HEAD' || status === 204 || status === 304
    const body = isEmpty ? { bytes: Buffer.alloc(0), end: bodyAt } : bodyOf(bytes, bodyAt, { lines }, isEnded)
    if (body === undefined) break
    const isPacked = headerOf({ lines }, 'content-encoding') === 'gzip' && body.bytes.length > 0
    answers.push({
      status,
      lines,
      text: (isPacked ? gunzipSync(body.bytes) : body.bytes).toString(),
      isStream: headerOf({ lines }, 'content-type').startsWith('text/event-stream'),
    })
    at = body.end
  }
  return { answers, rest: bytes.subarray(at).toString('latin1') }
}

function bodyOf(
  bytes: Buffer,
  from: number,
  head: Pick<WireAnswer, 'lines'>,
  isEnded: boolean,
): { readonly bytes: Buffer; readonly end: number } | undefined {
  if (headerOf(head, 'content-type').startsWith('text/event-stream'))
    return { bytes: bytes.subarray(from), end: bytes.length }
  const length = headerOf(head, 'content-length')
  if (length !== '') {
    const end = from + Number(length)
    return end <= bytes.length ? { bytes: bytes.subarray(from, end), end } : undefined
  }
  if (headerOf(head, 'transfer-encoding') !== 'chunked')
    return isEnded ? { bytes: bytes.subarray(from), end: bytes.length } : undefined
  const chunks: Buffer[] = []
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16)
    const end = lineEnd + 2 + size
    if (end + 2 > bytes.length) return undefined
    if (size === 0) return { bytes: Buffer.concat(chunks), end: end + 2 }
    chunks.push(bytes.subarray(lineEnd + 2, end))
    at = end + 2
  }
}
