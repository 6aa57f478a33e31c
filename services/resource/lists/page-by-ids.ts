import type { Lookup } from '../../cache/index.js'
import { combinedLookup } from '../../documents/combined-lookup.js'
import type { Document } from '../../documents/document.js'
import { LARGE_WORK, ownTurn } from '../../documents/own-turn.js'
import { InvalidCursorError } from '../../errors.js'
import { decodeCursor, encodeCursor } from './cursor.js'
import { gather } from './gather.js'

/** How many rows are read in the first go: they may be long. */
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
  const left = wanted.slice(query.cursor === undefined ? 0 : placeAfter(list, wanted, query.cursor))
  const { parts, isCut, bytes } = await gather(left, FIRST_ROWS, read)
  if (bytes > LARGE_WORK) await ownTurn()
  return combinedLookup(parts, isCut ? encodeCursor(list, left[parts.length - 1] ?? '') : null)
}

function placeAfter(list: string, ids: readonly string[], cursor: string): number {
  const place = ids.indexOf(decodeCursor(list, cursor))
  if (place < 0) throw new InvalidCursorError()
  return place + 1
}
