import { connect, type Socket } from 'node:net'

/** `status` 0: none came, and `failure` says why. */
export interface RawStatus {
  readonly status: number
  readonly isHit: boolean
  readonly hasRetryAfter: boolean
  /** What the service itself says that it took, in ms (Server-Timing); NaN where it does not. */
  readonly ownMs: number
  readonly failure?: string
}

const HEAD_END = '\r\n\r\n'

/**
 * One kept-alive connection of a generator of load, with one request at a time. It reads no more of an answer than it must: a client of
 * more comfort takes longer for a hit than the service does.
 */
export class LoadConnection {
  readonly #port: number
  readonly #onAnswer: (connection: LoadConnection, answer: RawStatus) => void
  #socket: Socket | undefined
  #isBusy = false
  /** The beginning of a head that has not come to its end. */
  #head: Buffer | undefined
  /** Of the body, still to come. */
  #left = 0
  #answer: RawStatus | undefined
  /** What the sender remembers of the request under way. */
  dueAt = 0
  stream = 0
  phase = ''

  constructor(port: number, onAnswer: (connection: LoadConnection, answer: RawStatus) => void) {
    this.#port = port
    this.#onAnswer = onAnswer
  }

  /** Resolves once it is connected, or could not be: then the next request tries again. */
  open(): Promise<void> {
    const socket = (this.#socket ??= this.#connect())
    return new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
  }

  send(text: string): void {
    this.#isBusy = true
    this.#socket ??= this.#connect()
    this.#socket.write(text, 'latin1')
  }

  end(): void {
    this.#isBusy = false
    this.#socket?.destroy()
  }

  #connect(): Socket {
    const socket = connect(this.#port, '127.0.0.1').setNoDelay(true)
    let failure = 'ended'
    socket.on('data', (data) => this.#read(data))
    socket.on('error', (error: NodeJS.ErrnoException) => (failure = error.code ?? error.message))
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#head = undefined
      this.#left = 0
      if (this.#isBusy) this.#done({ status: 0, isHit: false, hasRetryAfter: false, ownMs: Number.NaN, failure })
    })
    return socket
  }

  #read(data: Buffer): void {
    if (this.#answer !== undefined) return this.#skip(data.length)
    const bytes = this.#head === undefined ? data : Buffer.concat([this.#head, data])
    const end = bytes.indexOf(HEAD_END)
    if (end < 0) return void (this.#head = bytes)
    this.#head = undefined
    const head = bytes.toString('latin1', 0, end).toLowerCase()
    const status = Number(head.slice(9, 12))
    const ownMs = Number(/\r\nserver-timing:.*?dur=([\d.]+)/.exec(head)?.[1] ?? Number.NaN)
    this.#answer = { status, isHit: head.includes('; hit'), hasRetryAfter: head.includes('\r\nretry-after:'), ownMs }
    this.#left = status === 304 ? 0 : Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0)
    if (head.includes('\r\nconnection: close')) this.#leave()
    this.#skip(bytes.length - end - HEAD_END.length)
  }

  #skip(bytes: number): void {
    this.#left -= bytes
    if (this.#left > 0 || this.#answer === undefined) return
    const answer = this.#answer
    this.#answer = undefined
    this.#left = 0
    this.#done(answer)
  }

  /** The server ends the connection behind this answer: the next request has another one. */
  #leave(): void {
    const socket = this.#socket
    socket?.once('end', () => socket.destroy())
    this.#socket = undefined
  }

  #done(answer: RawStatus): void {
    this.#isBusy = false
    this.#onAnswer(this, answer)
  }
}
