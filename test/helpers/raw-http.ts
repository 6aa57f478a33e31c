import { connect } from 'node:net'

/** What a server sent on one connection. */
export interface RawAnswer {
  readonly text: string
  readonly status: number
  /** By its name in lower case; empty when there is none. */
  header(name: string): string
  /** The parsed body. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
  readonly body: any
  /** Whether the server ended the connection. */
  readonly isEnded: boolean
}

/** For the first byte: a busy machine takes its time. */
const FIRST_MS = 10_000

/** Sends `bytes` on a connection of its own, and reads until the server ends it, or an answer has begun and nothing has come for `quietMs`. */
export function exchange(port: number, bytes: string | readonly Buffer[], quietMs = 500): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const isHead = String(typeof bytes === 'string' ? bytes : bytes[0]).startsWith('HEAD ')
    const chunks: Buffer[] = []
    const done = (isEnded: boolean): void => {
      socket.destroy()
      resolve(answerOf(Buffer.concat(chunks).toString(), { isEnded, isHead }))
    }
    socket.setTimeout(Math.max(FIRST_MS, quietMs), () => done(false))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (!isContinue(Buffer.concat(chunks).toString())) socket.setTimeout(quietMs)
    })
    socket.on('end', () => done(true))
    socket.on('error', (error) => (chunks.length > 0 ? done(true) : reject(error)))
    for (const piece of typeof bytes === 'string' ? [Buffer.from(bytes, 'latin1')] : bytes) socket.write(piece)
  })
}

/** No answer yet. */
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

function isContinue(text: string): boolean {
  return CONTINUE.startsWith(text)
}

function answerOf(
  text: string,
  { isEnded, isHead }: { readonly isEnded: boolean; readonly isHead: boolean },
): RawAnswer {
  const final = text.replace(CONTINUE, '')
  const [head = '', ...rest] = final.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers = new Map(lines.map((line) => [line.split(':', 1).join().toLowerCase(), line.replace(/^[^:]*: */, '')]))
  const after = Buffer.from(rest.join('\r\n\r\n'))
  const length = isHead ? 0 : Number(headers.get('content-length') ?? after.length)
  const body = after.subarray(0, length).toString()
  return {
    text,
    status: Number(first.split(' ')[1]),
    header: (name) => headers.get(name) ?? '',
    body: headers.get('content-type')?.startsWith('application/json') === true && body !== '' ? JSON.parse(body) : {},
    isEnded,
  }
}
