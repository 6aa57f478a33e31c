import type { Lookup } from '../cache/index.js'
import { combinedLookup } from '../documents/combined-lookup.js'
import type { Document } from '../documents/document.js'
import { InvalidCursorError } from '../errors.js'
import { PAGE_BYTES } from './bounded-rows.js'
import { decodeCursor, encodeCursor } from './cursor.js'

/** How many rows are read in the first go. How long they are is known only then: each next go has twice as many. */
const FIRST_ROWS = 16

/**
 * One page of the rows `ids`, in that order, each once; it ends early before it gets too long.
 * @param list names whose rows of what: a cursor is good for that and for the same `ids` alone
 * @param cursor of the page before
 * @param read answers in the order of its ids
 * @throws InvalidCursorError
 */
export async function pageByIds(
  list: string,
  ids: readonly string[],
  cursor: string | undefined,
  read: (ids: readonly string[]) => Promise<readonly Lookup<Document>[]>,
): Promise<Lookup<Document>> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))]
  const page: Lookup<Document>[] = []
  let bytes = 0
  let next = cursor === undefined ? 0 : placeAfter(list, wanted, cursor)
  for (let most = FIRST_ROWS; next < wanted.length; most *= 2) {
    for (const lookup of await read(wanted.slice(next, next + most))) {
      const more = Buffer.byteLength(lookup.value?.json ?? '')
      if (bytes > 0 && bytes + more > PAGE_BYTES)
        return combinedLookup(page, encodeCursor(nameOf(list, wanted), wanted[next - 1] ?? ''))
      bytes += more
      page.push(lookup)
      next += 1
    }
  }
  return combinedLookup(page)
}

function nameOf(list: string, ids: readonly string[]): string {
  return `${list}?ids=${ids.join(',')}`
}

function placeAfter(list: string, ids: readonly string[], cursor: string): number {
  const place = ids.indexOf(decodeCursor(nameOf(list, ids), cursor))
  if (place < 0) throw new InvalidCursorError()
  return place + 1
}
