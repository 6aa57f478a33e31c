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
  const file = readFileSync(path)
  const bytes = path.endsWith('.gz') ? gunzipSync(file) : file
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

/** How many requests a cache of `capacity` items that forgets the least recently used one can't answer itself. */
export function leastRecentlyUsedMisses({ requests }: Trace, capacity: number): number {
  const kept = new Set<number>()
  let misses = 0
  for (const page of requests) {
    // A set keeps the order of insertion: taken out and put in again, the page is the last to be forgotten.
    if (!kept.delete(page)) misses += 1
    kept.add(page)
    if (kept.size <= capacity) continue
    const [oldest] = kept
    if (oldest !== undefined) kept.delete(oldest)
  }
  return misses
}
