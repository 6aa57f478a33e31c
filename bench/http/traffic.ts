import { zipfOrder } from '../contenders/items.js'
import { Seeded } from '../../test/helpers/seeded.js'
import type { Shop } from './big-catalogue.js'
import { HttpConnection } from '../../test/helpers/http-connection.js'

export interface TrafficOptions {
  readonly ports: readonly number[]
  readonly shops: readonly Shop[]
  readonly requests: number
  readonly connections: number
  /** Of the requests, 0 to 1. */
  readonly writeShare: number
  readonly exponent: number
  readonly seed: number
  /** Of several over the same shops: each has an order of its own, and the same designs are asked for often. */
  readonly part?: number
  /** Of the parts before: what they acknowledged counts as well. */
  readonly acknowledged?: Map<string, Acknowledged[]>
}

export interface TrafficResult {
  readonly seconds: number
  readonly reads: number
  readonly writes: number
  readonly memoryHits: number
  readonly redisHits: number
  readonly misses: number
  /** Reads that began after a newer version was acknowledged: how long after, in ms. */
  readonly staleMs: readonly number[]
}

/** A version of a design, and when its write was answered. */
export interface Acknowledged {
  readonly version: number
  readonly at: number
}

const DESCRIPTION = 'A pattern of leaves in four colours. '.repeat(16)

/**
 * Reads and writes over all replicas, the next request of a connection when it has its answer. Everything is sent from
 * this one process, so that one clock tells which write had been acknowledged when a read began.
 */
export async function runTraffic(options: TrafficOptions): Promise<TrafficResult> {
  const { ports, shops, requests, connections, writeShare, exponent, seed, part = 0 } = options
  /** The versions of each design, oldest first. */
  const { acknowledged = new Map<string, Acknowledged[]>() } = options
  const designs = shops.flatMap(({ token, designIds }) => designIds.map((id) => ({ token, id })))
  const order = zipfOrder(seed, designs.length, requests, exponent, part)
  const seeded = new Seeded(seed + part + 1)
  const staleMs: number[] = []
  const counts = { reads: 0, writes: 0, memoryHits: 0, redisHits: 0, misses: 0 }
  let [at, sent] = [0, 0]

  const write = async (connection: HttpConnection, { token, id }: { token: string; id: string }): Promise<void> => {
    const { status, body } = await connection.send({
      method: 'PATCH',
      path: `/api/designs/${id}`,
      token,
      body: { description: `${DESCRIPTION}${Date.now()} ${sent++}` },
    })
    if (status !== 200) throw new Error(`A write was answered with ${status}: ${body.toString()}`)
    const known = acknowledged.get(id) ?? []
    acknowledged.set(id, known)
    const version = versionIn(body)
    if (version < 2 || known.some((write) => write.version === version)) throw new Error('A write changed nothing')
    known.push({ version, at: performance.now() })
    counts.writes += 1
  }
  const read = async (connection: HttpConnection, { token, id }: { token: string; id: string }): Promise<void> => {
    const startedAt = performance.now()
    const answer = await connection.send({ method: 'GET', path: `/api/designs/${id}`, token })
    const { status, body } = answer
    const cacheStatus = answer.header('cache-status')
    if (status !== 200) throw new Error(`A read was answered with ${status}: ${body.toString()}`)
    counts.reads += 1
    if (cacheStatus.endsWith('detail=memory')) counts.memoryHits += 1
    else if (cacheStatus.endsWith('detail=redis')) counts.redisHits += 1
    else counts.misses += 1
    const version = versionIn(body)
    const missed = acknowledged.get(id)?.find((write) => write.version > version)
    staleMs.push(missed === undefined ? 0 : Math.max(0, startedAt - missed.at))
  }
  const work = async (n: number): Promise<void> => {
    const connection = new HttpConnection(ports[n % ports.length] ?? 0)
    while (at < order.length) {
      const design = designs[order[at++] ?? 0]
      if (design === undefined) throw new Error('The order names designs')
      await (seeded.next() < writeShare ? write : read)(connection, design)
    }
    connection.close()
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: connections }, (_, n) => work(n)))
  return { ...counts, staleMs, seconds: (performance.now() - startedAt) / 1_000 }
}

export function versionIn(body: Buffer): number {
  return Number(/"version":(\d+)/.exec(body.toString())?.[1] ?? Number.NaN)
}
