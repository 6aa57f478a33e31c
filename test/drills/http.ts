import { createConnection, type Socket } from 'node:net'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly token: string
  readonly body?: object
}

export interface HttpAnswer {
  readonly status: number
  readonly cacheStatus: string
  /** The replica's state and process id when the request arrived there. */
  readonly replicaState: string
  readonly text: string
  /** Monotonic ms: when the request was handed to the socket. */
  readonly begunAt: number
  readonly endedAt: number
}

/** No answer came: whether the request was carried out is unknown. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'

  constructor(readonly kind: string) {
    super(kind)
  }
}

/** Longer than a replica is ever stopped: what it answers when it wakes up is looked at too. */
const TIME_LIMIT_MS = 20_000

interface Waiting {
  readonly begunAt: number
  resolve(answer: HttpAnswer): void
  reject(error: Error): void
}

/** One keep-alive connection, one request at a time. Made by hand since a client must cost less than the service it measures. */
export class HttpConnection {
  readonly #port: number
  #socket: Socket | undefined
  #waiting: Waiting | undefined
  #received: Buffer[] = []
  #needed = 0

  constructor(port: number) {
    this.#port = port
  }

  /** @throws NoAnswerError */
  send({ method, path, token, body }: HttpRequest): Promise<HttpAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body)
    const type =
      body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n`
    const head = `${method} ${path} HTTP/1.1\r\nhost: drill\r\nauthorization: Bearer ${token}\r\n${type}\r\n`
    return new Promise((resolve, reject) => {
      const socket = (this.#socket ??= this.#connect())
      this.#waiting = { begunAt: performance.now(), resolve, reject }
      socket.write(head + text)
    })
  }

  close(): void {
    this.#fail('closed')
  }

  #connect(): Socket {
    const socket = createConnection({ port: this.#port, host: '127.0.0.1', noDelay: true })
    const failed = (kind: string): void => {
      if (this.#socket === socket) this.#fail(kind)
    }
    socket.setTimeout(TIME_LIMIT_MS, () => failed('time-out'))
    socket.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'error'))
    socket.on('close', () => failed('closed by the replica'))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#received = []
    this.#needed = 0
    return socket
  }

  #fail(kind: string): void {
    const waiting = this.#waiting
    const socket = this.#socket
    this.#waiting = undefined
    this.#socket = undefined
    socket?.destroy()
    waiting?.reject(new NoAnswerError(kind))
  }

  #read(chunk: Buffer): void {
    this.#received.push(chunk)
    const [first] = this.#received
    const length = this.#received.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (length < this.#needed || first === undefined) return
    const all = this.#received.length === 1 ? first : Buffer.concat(this.#received)
    this.#received = [all]
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = all.toString('latin1', 0, end)
    this.#needed = end + 4 + Number(header(head, 'content-length') || 0)
    if (all.length < this.#needed) return
    const waiting = this.#waiting
    const text = all.toString('utf8', end + 4, this.#needed)
    this.#waiting = undefined
    this.#received = []
    this.#needed = 0
    if (header(head, 'connection') === 'close') {
      const socket = this.#socket
      this.#socket = undefined
      socket?.destroy()
    }
    waiting?.resolve({
      status: Number(head.slice(9, 12)),
      cacheStatus: header(head, 'cache-status'),
      replicaState: header(head, 'x-drill-state'),
      text,
      begunAt: waiting.begunAt,
      endedAt: performance.now(),
    })
  }
}

function header(head: string, name: string): string {
  const at = head.indexOf(`\r\n${name}: `)
  if (at < 0) return ''
  const start = at + name.length + 4
  const end = head.indexOf('\r\n', start)
  return head.slice(start, end < 0 ? undefined : end)
}
