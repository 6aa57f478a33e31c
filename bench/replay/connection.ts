import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Response {
  readonly status: number
  /** The header Cache-Status; empty when there is none. */
  readonly cacheStatus: string
  readonly body: Buffer
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')

/**
 * One kept-alive HTTP connection with one request at a time. It reads what this service writes (every answer names its
 * length) and costs a tenth of node:http: on a small machine the load must not take the processor from the service.
 */
export class Connection {
  readonly #socket: Socket
  readonly #host: string
  readonly #token: string
  #received: Buffer = Buffer.alloc(0)
  #waiting: { resolve: (response: Response) => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket, host: string, token: string) {
    this.#socket = socket
    this.#host = host
    this.#token = token
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('The service closed the connection')))
  }

  static async open(port: number, token: string): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new Connection(socket, `127.0.0.1:${port}`, token)
  }

  get(path: string): Promise<Response> {
    return this.send('GET', path)
  }

  /** @throws Error when the connection breaks or the answer has no length */
  send(
    method: 'GET' | 'PATCH',
    path: string,
    { token = this.#token, body }: { readonly token?: string; readonly body?: object } = {},
  ): Promise<Response> {
    const text = body === undefined ? '' : JSON.stringify(body)
    const length = Buffer.byteLength(text)
    const content = body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${length}\r\n`
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nauthorization: Bearer ${token}\r\n${content}`
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('The connection is closed'))
      this.#waiting = { resolve, reject }
      this.#socket.write(`${head}\r\n${text}`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headEnd = this.#received.indexOf(END_OF_HEAD)
    if (headEnd < 0) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) return void this.#socket.destroy(new Error(`An answer without a length: ${head}`))
    const bodyStart = headEnd + END_OF_HEAD.length
    if (this.#received.length < bodyStart + length) return
    const body = this.#received.subarray(bodyStart, bodyStart + length)
    this.#received = this.#received.subarray(bodyStart + length)
    const waiting = this.#waiting
    this.#waiting = undefined
    const cacheStatus = /\r\ncache-status: ([^\r]*)/i.exec(head)?.[1] ?? ''
    waiting?.resolve({ status: Number(head.slice(9, 12)), cacheStatus, body })
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
