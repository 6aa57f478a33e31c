import type { Lookup } from '../../cache/index.js'
import { combinedLookup } from '../../documents/combined-lookup.js'
import type { Document } from '../../documents/document.js'
import { LARGE_WORK, ownTurn } from '../../documents/own-turn.js'
import { InvalidCursorError } from '../../errors.js'
import { PAGE_BYTES } from '../sql/bounded-rows.js'
import { decodeCursor, encodeCursor } from './cursor.js'

/** How many rows are read in the first go. How long they are is known only then: each next go has twice as many. */
const FIRST_ROWS = 16

interface PageQuery {
  /** Names the list of all rows that `ids` may name. */
  readonly list: string
  readonly ids: readonly string[]
  /** Of the page before, with the same ids. */
  readonly cursor: string | undefined
}

/**
 * One page of the rows `ids`, in that order, each once; it ends early before it gets too long.
 * @param read answers in the order of its ids
 * @throws InvalidCursorError
 */
export async function pageByIds(
  query: PageQuery,
  read: (ids: readonly string[]) => Promise<readonly Lookup<Document>[]>,
): Promise<Lookup<Document>> {
  const wanted = [...new Set(query.ids.map((id) => id.toLowerCase()))]
  const list = `${query.list}?ids=${wanted.join(',')}`
  const page: Lookup<Document>[] = []
  let bytes = 0
  let next = query.cursor === undefined ? 0 : placeAfter(list, wanted, query.cursor)
  for (let most = FIRST_ROWS; next < wanted.length; most *= 2) {
    for (const lookup of await read(wanted.slice(next, next + most))) {
      const more = Buffer.byteLength(lookup.value?.json ?? '')
      if (bytes > 0 && bytes + more > PAGE_BYTES) {
        await ownTurn()
        return combinedLookup(page, encodeCursor(list, wanted[next - 1] ?? ''))
      }
      bytes += more
      page.push(lookup)
      next += 1
    }
  }
  if (bytes > LARGE_WORK) await ownTurn()
  return combinedLookup(page)
}

function placeAfter(list: string, ids: readonly string[], cursor: string): number {
  const place = ids.indexOf(decodeCursor(list, cursor))
  if (place < 0) throw new InvalidCursorError()
  return place + 1
}
