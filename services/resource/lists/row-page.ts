import type { Total } from '../../documents/id-page.js'
import type { ResourceRow } from '../sql/row.js'
import { encodeCursor } from './cursor.js'
import type { Selection } from './list-query.js'
import type { SortedRow } from './reading.js'

/** One page of a list, with its rows up to where it gets too long. */
export interface RowPage {
  readonly ids: readonly string[]
  /** By what each of them is sorted before its id; `undefined` where that is the id alone. */
  readonly sortValues: readonly string[] | undefined
  /** Behind the last of the ids. */
  readonly nextCursor: string | null
  /** All rows were small. */
  readonly isShort: boolean
  /** The first rows; {@link RowPage.end} says how many of the ids these are. */
  readonly rows: readonly ResourceRow[]
  readonly end: number
  /** Where it was asked for. */
  readonly total?: Total
}

/** @param sorted the rows of a page, and one more if there are further ones */
export function idsOf(
  { list, limit, order }: Selection,
  sorted: readonly SortedRow[],
): Omit<RowPage, 'rows' | 'end' | 'total'> {
  const found = sorted.slice(0, limit)
  const last = found.at(-1)
  return {
    ids: found.map(({ id }) => id),
    sortValues: order.key && found.map(sortValueOf),
    nextCursor: sorted.length > limit && last !== undefined ? encodeCursor(list, last.id, sortValueOf(last)) : null,
    isShort: found.every((row) => row['#is_whole']),
  }
}

/** Without the sign before it. */
function sortValueOf(row: SortedRow): string {
  return row['#sort_value'].slice(1)
}
