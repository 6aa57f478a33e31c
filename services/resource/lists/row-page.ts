import { encodeCursor } from './cursor.js'
import type { Selection } from './list-query.js'
import type { ResourceRow } from '../sql/row.js'
import type { SortedRow, Total } from './reading.js'

/** One page of a list. */
export interface RowPage {
  readonly rows: readonly ResourceRow[]
  readonly nextCursor: string | null
  /** Where it was asked for. */
  readonly total?: Total
}

/** @param found the rows of `page` and perhaps further ones, as they were sorted */
export function pageOf(
  { list }: Selection,
  found: readonly SortedRow[],
  page: readonly ResourceRow[],
  isMore: boolean,
): RowPage {
  const last = page.at(-1)
  if (!isMore || last === undefined) return { rows: page, nextCursor: null }
  const { sort_value: value = '' } = found.find(({ id }) => id === last.id) ?? {}
  return { rows: page, nextCursor: encodeCursor(list, last.id, value) }
}
