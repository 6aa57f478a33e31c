/** The load of the HTTP benchmark, in a process of its own, so that the server is what is measured. */
import { Client } from 'undici'
import type { LoadOrder, LoadRequest, LoadResult } from './load.js'

process.on('message', (order: LoadOrder) => {
  run(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(1))

/** One kept-alive connection with one request at a time. */
class Connection {
  readonly #client: Client
  readonly #onAnswer: (connection: Connection, status: number) => void
  startedAt = 0

  constructor(port: number, onAnswer: (connection: Connection, status: number) => void) {
    this.#client = new Client(`http://127.0.0.1:${port}`, { pipelining: 1 })
    this.#onAnswer = onAnswer
  }

  send({ path, headers }: LoadRequest, startedAt: number): void {
    this.startedAt = startedAt
    let status = 0
    this.#client.dispatch(
      { method: 'GET', path, headers },
      {
        // Without it undici takes the handler for one of its older kind, and refuses it.
        onRequestStart: () => {},
        onResponseStart: (_, code) => void (status = code),
        onResponseEnd: () => this.#onAnswer(this, status),
        onResponseError: () => this.#onAnswer(this, 0),
      },
    )
  }

  end(): void {
    this.#client.destroy().catch(() => {})
  }
}

async function run({ port, requests, connections, ms, ratePerSecond, expected }: LoadOrder): Promise<LoadResult> {
  const latencies: number[] = []
  let [next, unexpected] = [0, 0]
  const request = (): LoadRequest => requests[next++ % requests.length]!
  const idle: Connection[] = []
  const due: number[] = []
  let isOver = false

  const onAnswer = (connection: Connection, status: number): void => {
    // What was under way at the end is broken off.
    if (isOver) return
    if (status !== expected) unexpected += 1
    const now = performance.now()
    latencies.push(now - connection.startedAt)
    if (ratePerSecond === undefined) return connection.send(request(), now)
    // Latency counts from when the request was due, not from when a connection was free for it.
    const dueAt = due.shift()
    if (dueAt === undefined) idle.push(connection)
    else connection.send(request(), dueAt)
  }
  const all = Array.from({ length: connections }, () => new Connection(port, onAnswer))
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
