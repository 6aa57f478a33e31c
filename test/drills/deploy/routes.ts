import { type HttpAnswer, HttpConnection, type HttpRequest, NoAnswerError } from '../../helpers/http-connection.js'

/** Where a client sends its next request, and what it has learnt of whom it must not ask again. */
export class Routes {
  #ports: readonly number[]
  readonly #left = new Set<number>()

  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  set ports(ports: readonly number[]) {
    this.#ports = ports
  }

  /** The `n`th of those that serve. */
  port(n: number): number {
    const { serving } = this
    const port = serving[n % serving.length]
    if (port === undefined) throw new Error('No replica is left')
    return port
  }

  get serving(): readonly number[] {
    return this.#ports.filter((port) => !this.#left.has(port))
  }

  /** It said `Connection: close`, or takes no connections any more. */
  leave(port: number): void {
    this.#left.add(port)
  }
}

/**
 * A keep-alive client without a balancer: it stays at one replica until that says `Connection: close`, and then goes to another. It
 * sends nothing twice, but for a connection that was refused: over that nothing was sent.
 */
export class DirectConnection {
  readonly #routes: Routes
  readonly #n: number
  readonly #timeLimitMs: number
  #port: number
  #connection: HttpConnection

  constructor(routes: Routes, n: number, timeLimitMs: number) {
    this.#routes = routes
    this.#n = n
    this.#timeLimitMs = timeLimitMs
    this.#port = routes.port(n)
    this.#connection = this.#open()
  }

  async send(request: HttpRequest): Promise<HttpAnswer> {
    for (;;) {
      try {
        const answer = await this.#connection.send(request)
        if (answer.header('connection') === 'close') this.#leave()
        return answer
      } catch (error) {
        if (!(error instanceof NoAnswerError) || error.kind !== 'ECONNREFUSED') throw error
        this.#leave()
      }
    }
  }

  close(): void {
    this.#connection.close()
  }

  #leave(): void {
    this.#routes.leave(this.#port)
    this.#connection.close()
    this.#port = this.#routes.port(this.#n)
    this.#connection = this.#open()
  }

  #open(): HttpConnection {
    return new HttpConnection(this.#port, { timeLimitMs: this.#timeLimitMs, keepAliveMs: KEPT_MS })
  }
}

/** Longer than any pause: it is the replica that closes. */
const KEPT_MS = 60_000
