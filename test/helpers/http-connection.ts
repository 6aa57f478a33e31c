import { Client } from 'undici'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** That of the connection unless given. */
  readonly token?: string
  readonly body?: object
}

export class HttpAnswer {
  readonly status: number
  readonly body: Buffer
  /** Monotonic ms: when the request was handed to the socket. */
  readonly begunAt: number
  readonly endedAt: number
  readonly #headers: HttpHeaders

  constructor(parts: Pick<HttpAnswer, 'status' | 'body' | 'begunAt' | 'endedAt'>, headers: HttpHeaders) {
    this.status = parts.status
    this.body = parts.body
    this.begunAt = parts.begunAt
    this.endedAt = parts.endedAt
    this.#headers = headers
  }

  get text(): string {
    return this.body.toString()
  }

  /** By its name in lower case; empty when there is none. */
  header(name: string): string {
    return String(this.#headers[name] ?? '')
  }
}

type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>

/** No answer came: whether the request was carried out is unknown. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'

  constructor(readonly kind: string) {
    super(kind)
  }
}

/** One kept-alive connection with one request at a time, opened with the first one and anew after it has broken. */
export class HttpConnection {
  readonly #client: Client
  readonly #token: string

  /** @param options `timeLimitMs`: the longest pause in which nothing arrives; `keepAliveMs`: how long it is kept without a request */
  constructor(port: number, { token = '', timeLimitMs = 20_000, keepAliveMs = 4_000 } = {}) {
    this.#token = token
    const limits = { headersTimeout: timeLimitMs, bodyTimeout: timeLimitMs, connectTimeout: timeLimitMs }
    const times = { ...limits, keepAliveTimeout: keepAliveMs }
    this.#client = new Client(`http://127.0.0.1:${port}`, { pipelining: 1, ...times })
  }

  get(path: string): Promise<HttpAnswer> {
    return this.send({ method: 'GET', path })
  }

  /** @throws NoAnswerError */
  send({ method, path, token = this.#token, body }: HttpRequest): Promise<HttpAnswer> {
    const text = body === undefined ? null : JSON.stringify(body)
    const headers = { authorization: `Bearer ${token}`, ...(text !== null && { 'content-type': 'application/json' }) }
    return new Promise((resolve, reject) => {
      let [begunAt, status] = [performance.now(), 0]
      let headersOf: HttpHeaders = {}
      const chunks: Buffer[] = []
      this.#client.dispatch(
        { method, path, headers, body: text },
        {
          onRequestStart: () => void (begunAt = performance.now()),
          onResponseStart(_, code, fields) {
            status = code
            headersOf = fields
          },
          onResponseData: (_, chunk) => void chunks.push(chunk),
          onResponseEnd() {
            const [first = Buffer.alloc(0)] = chunks
            const whole = chunks.length > 1 ? Buffer.concat(chunks) : first
            resolve(new HttpAnswer({ status, body: whole, begunAt, endedAt: performance.now() }, headersOf))
          },
          onResponseError: (_, error) =>
            reject(new NoAnswerError('code' in error ? String(error.code) : error.message)),
        },
      )
    })
  }

  close(): void {
    // What is under way ends with a NoAnswerError of its own.
    this.#client.destroy().catch(() => {})
  }
}
