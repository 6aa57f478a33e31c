import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** An access log, and what any cache can make of it at best. */
export interface Trace {
  /** The page that each request asks for, numbered from 0 in the order of their first requests. */
  readonly requests: Uint32Array
  readonly pages: number
}

const BYTES_PER_REQUEST = 4

/**
 * Reads big-endian 32-bit page numbers, one per request, packed with gzip when the name ends in `.gz`.
 * @param limit the first so many requests only
 * @throws Error when the file is no such trace
 */
export function readTrace(path: string, limit = Number.POSITIVE_INFINITY): Trace {
  const bytes = bytesOf(path)
  if (bytes.length === 0 || bytes.length % BYTES_PER_REQUEST !== 0)
    throw new Error(`${path} is no trace of 32-bit page numbers`)
  const requests = new Uint32Array(Math.min(limit, bytes.length / BYTES_PER_REQUEST))
  const numbers = new Map<number, number>()
  for (let index = 0; index < requests.length; index++) {
    const page = bytes.readUInt32BE(index * BYTES_PER_REQUEST)
    const number = numbers.get(page) ?? numbers.size
    numbers.set(page, number)
    requests[index] = number
  }
  return { requests, pages: numbers.size }
}

function bytesOf(path: string): Buffer {
  try {
    const file = readFileSync(path)
    return path.endsWith('.gz') ? gunzipSync(file) : file
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Error(`${path} can not be read (${code})`, { cause: error })
  }
}

/** How many requests a cache of `capacity` items that keeps by SIEVE can't answer itself. Written apart from the engine's. */
export function sieveMisses({ requests }: Trace, capacity: number): number {
  /** Oldest first. */
  const queue: number[] = []
  const isMarked = new Map<number, boolean>()
  let hand = 0
  let misses = 0
  for (const page of requests) {
    if (isMarked.has(page)) {
      isMarked.set(page, true)
      continue
    }
    misses += 1
    if (queue.length === capacity) {
      for (; isMarked.get(queue[hand] ?? -1) === true; hand = (hand + 1) % capacity)
        isMarked.set(queue[hand] ?? -1, false)
      isMarked.delete(queue[hand] ?? -1)
      queue.splice(hand, 1)
      if (hand === queue.length) hand = 0
    }
    queue.push(page)
    isMarked.set(page, false)
  }
  return misses
}
