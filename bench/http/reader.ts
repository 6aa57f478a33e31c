import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly cacheStatus: string
  readonly body: string
}

/** One kept-alive connection with one request at a time; it takes any method, and reads what this service writes. */
export class Reader {
  readonly #socket: Socket
  readonly #token: string
  #held = ''
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket, token: string) {
    this.#socket = socket
    this.#token = token
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', (error) => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('The server closed the connection')))
  }

  static async open(port: number, token: string): Promise<Reader> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new Reader(socket, token)
  }

  send(method: 'GET' | 'PATCH', path: string, options: { token?: string; body?: object } = {}): Promise<Answer> {
    const { token = this.#token, body } = options
    const text = body === undefined ? '' : JSON.stringify(body)
    const content = body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${text.length}\r\n`
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${token}\r\n${content}\r\n${text}`,
      )
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#held += text
    const headEnd = this.#held.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = this.#held.slice(0, headEnd)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#held.length < headEnd + 4 + length) return
    const body = this.#held.slice(headEnd + 4, headEnd + 4 + length)
    this.#held = this.#held.slice(headEnd + 4 + length)
    const waiting = this.#waiting
    this.#waiting = undefined
    const cacheStatus = /\r\ncache-status: ([^\r]*)/i.exec(head)?.[1] ?? ''
    waiting?.resolve({ status: Number(head.slice(9, 12)), cacheStatus, body })
  }
}
