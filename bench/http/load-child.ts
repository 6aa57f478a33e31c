/** The load of the HTTP benchmark, in a process of its own: raw sockets, so that the server is what is measured. */
import { connect, type Socket } from 'node:net'
import type { LoadOrder, LoadResult } from './load.js'

const END_OF_HEAD = '\r\n\r\n'

process.on('message', (order: LoadOrder) => {
  run(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(1))

/** Answers are read by their content-length; a 304 has none and no body. */
class Connection {
  readonly #socket: Socket
  readonly #onAnswer: (connection: Connection, status: number) => void
  #held: Buffer | undefined
  /** Bytes of the body under way that are still to come. */
  #missing = 0
  #status = 0
  startedAt = 0

  constructor(socket: Socket, onAnswer: (connection: Connection, status: number) => void) {
    this.#socket = socket
    this.#onAnswer = onAnswer
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  send(request: Buffer, startedAt: number): void {
    this.startedAt = startedAt
    this.#socket.write(request)
  }

  end(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    if (this.#missing > 0) {
      this.#missing -= chunk.length
      if (this.#missing <= 0) this.#onAnswer(this, this.#status)
      return
    }
    const data = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    const headEnd = data.indexOf(END_OF_HEAD)
    if (headEnd < 0) {
      this.#held = data
      return
    }
    this.#held = undefined
    const head = data.toString('latin1', 0, headEnd)
    this.#status = Number(head.slice(9, 12))
    this.#missing = lengthIn(head) - (data.length - headEnd - END_OF_HEAD.length)
    if (this.#missing <= 0) this.#onAnswer(this, this.#status)
  }
}

function lengthIn(head: string): number {
  const at = head.indexOf('content-length: ')
  return at < 0 ? 0 : Number.parseInt(head.slice(at + 16, at + 26), 10)
}

async function run({ port, requests, connections, ms, ratePerSecond, expected }: LoadOrder): Promise<LoadResult> {
  const encoded = requests.map((text) => Buffer.from(text))
  const latencies: number[] = []
  let [next, unexpected] = [0, 0]
  const request = (): Buffer => encoded[next++ % encoded.length]!
  const idle: Connection[] = []
  const due: number[] = []
  let isOver = false

  const onAnswer = (connection: Connection, status: number): void => {
    if (status !== expected) unexpected += 1
    if (isOver) return
    const now = performance.now()
    latencies.push(now - connection.startedAt)
    if (ratePerSecond === undefined) return connection.send(request(), now)
    // Latency counts from when the request was due, not from when a connection was free for it.
    const dueAt = due.shift()
    if (dueAt === undefined) idle.push(connection)
    else connection.send(request(), dueAt)
  }
  const all = await Promise.all(Array.from({ length: connections }, () => open(port, onAnswer)))
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  if (ratePerSecond === undefined) for (const connection of all) connection.send(request(), startedAt)
  else {
    idle.push(...all)
    await sendAtRate(ratePerSecond, ms, (dueAt) => {
      const connection = idle.pop()
      if (connection === undefined) due.push(dueAt)
      else connection.send(request(), dueAt)
    })
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedAt + ms - performance.now())))
  const seconds = (performance.now() - startedAt) / 1_000
  isOver = true
  const { user, system } = process.cpuUsage(cpuBefore)
  for (const connection of all) connection.end()
  const sorted = Float64Array.from(latencies).sort()
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
  return {
    answers: latencies.length,
    unexpected,
    seconds,
    p50: at(0.5),
    p99: at(0.99),
    busy: (user + system) / 1e6 / seconds,
  }
}

/** Requests fall due evenly; a timer that comes late makes up for what fell due meanwhile. */
async function sendAtRate(ratePerSecond: number, ms: number, send: (dueAt: number) => void): Promise<void> {
  const startedAt = performance.now()
  const total = Math.floor((ratePerSecond * ms) / 1_000)
  await new Promise<void>((resolve) => {
    let sent = 0
    const step = (): void => {
      const elapsed = performance.now() - startedAt
      const wanted = Math.min(total, Math.floor((elapsed * ratePerSecond) / 1_000))
      while (sent < wanted) send(startedAt + (sent++ / ratePerSecond) * 1_000)
      if (sent >= total) resolve()
      else setImmediate(step)
    }
    step()
  })
}

function open(port: number, onAnswer: (connection: Connection, status: number) => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(new Connection(socket, onAnswer)))
    socket.once('error', reject)
  })
}
