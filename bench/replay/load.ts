import { type HttpAnswer, HttpConnection } from '../../test/helpers/http-connection.js'
import type { Catalogue } from './protocol.js'
import type { Trace } from './trace.js'

/** Who answered a request. `joined` shared a load that another request had begun. */
export const sources = ['memory', 'redis', 'database', 'joined', 'failure'] as const
export type Source = (typeof sources)[number]

/** What became of each request, in the order of the trace. */
export interface Measured {
  readonly sources: readonly Source[]
  readonly latenciesMs: Float64Array
  readonly seconds: number
}

export interface LoadOptions {
  readonly port: number
  readonly trace: Trace
  readonly catalogue: Catalogue
  /** Connections, each with one request under way. */
  readonly concurrency: number
  /** Awaited after the warm-up, before the first request of the trace. */
  readonly onWarm: () => Promise<void>
  readonly onProgress: (done: number) => void
}

/** Requests before the trace begins, so that both sides run compiled code; at most as many as the trace has. They read no design. */
const WARM_UP = 2_000
const PROGRESS_EVERY = 200

/** Replays the trace: requests are sent in its order, the next one whenever a connection is free. */
export async function replay(options: LoadOptions): Promise<Measured> {
  const { port, trace, catalogue, concurrency, onWarm, onProgress } = options
  const { requests } = trace
  const { token } = catalogue
  const connections = Array.from({ length: concurrency }, () => new HttpConnection(port, { token }))
  const found: Source[] = Array.from({ length: requests.length })
  const latenciesMs = new Float64Array(requests.length)
  let next = 0
  let done = 0

  const work = async (connection: HttpConnection): Promise<void> => {
    for (let index = next++; index < requests.length; index = next++) {
      const id = catalogue.designIds[requests[index] ?? 0] ?? ''
      const startedAt = performance.now()
      const response = await connection.get(`/api/designs/${id}`).catch(() => undefined)
      latenciesMs[index] = performance.now() - startedAt
      found[index] = response === undefined ? 'failure' : sourceOf(response, id)
      done += 1
      if (done % PROGRESS_EVERY === 0) onProgress(done)
    }
  }
  try {
    const each = Math.ceil(Math.min(WARM_UP, requests.length) / concurrency)
    await Promise.all(connections.map((connection) => warmUp(connection, each)))
    await onWarm()
    const startedAt = performance.now()
    await Promise.all(connections.map(work))
    return { sources: found, latenciesMs, seconds: (performance.now() - startedAt) / 1_000 }
  } finally {
    for (const connection of connections) connection.close()
  }
}

async function warmUp(connection: HttpConnection, requests: number): Promise<void> {
  for (let count = 0; count < requests; count++) {
    const { status } = await connection.get('/api/users/me')
    if (status !== 200) throw new Error(`The service answers the user of the replay with ${status}`)
  }
}

/** A failure is any answer but the design that was asked for. */
function sourceOf(answer: HttpAnswer, id: string): Source {
  const { status, body } = answer
  if (status !== 200 || idIn(body) !== id) return 'failure'
  const cacheStatus = answer.header('cache-status')
  if (cacheStatus.includes('; hit')) return cacheStatus.endsWith('detail=redis') ? 'redis' : 'memory'
  return cacheStatus.endsWith('; collapsed') ? 'joined' : 'database'
}

function idIn(body: Buffer): string | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null && 'id' in value ? String(value.id) : undefined
  } catch {
    return undefined
  }
}
