import { decodeCursor, encodeCursor } from './cursor.js'
import type { Filter, Table } from './table.js'

/** A list query as it arrives, validated by the table's query schema. */
export type ListQuery = Readonly<Record<string, string | number | boolean | undefined>>

/** What one page of a list holds. */
export interface Selection {
  /** The same text for the same page, however the caller wrote the query: part of the list's cache key. */
  readonly canonical: string
  readonly limit: number
  /** The page begins after this id. */
  readonly after: string | undefined
  readonly filters: readonly (readonly [Filter, string | number | boolean])[]
}

const DEFAULT_LIMIT = 50

/** @throws InvalidCursorError */
export function selectionOf(table: Table, query: ListQuery): Selection {
  const { after, limit } = pageOf(query)
  const parts = [`limit=${limit}`]
  if (after !== undefined) parts.push(`cursor=${encodeCursor(after)}`)
  const filters: [Filter, string | number | boolean][] = []
  for (const field of Object.keys(table.filters)) {
    const [filter, given] = [table.filters[field], query[field]]
    if (filter === undefined || given === undefined) continue
    const value = filter.type === 'uuid' ? String(given).toLowerCase() : given
    filters.push([filter, value])
    parts.push(`${field}=${encodeURIComponent(value)}`)
  }
  // Nearly every list is asked for without filters: nothing to sort then.
  const canonical = parts.length === 1 ? `limit=${limit}` : parts.sort().join('&')
  return { canonical, limit, after, filters }
}

/**
 * Limit and keyset position of a list query.
 * @throws InvalidCursorError
 */
export function pageOf(query: ListQuery): { readonly limit: number; readonly after: string | undefined } {
  const limit = typeof query['limit'] === 'number' ? query['limit'] : DEFAULT_LIMIT
  return { limit, after: query['cursor'] === undefined ? undefined : decodeCursor(String(query['cursor'])) }
}

/** Cuts a list that was read one row too far, and names the cursor of the next page. */
export function cutPage<Row extends { readonly id: string }>(
  rows: readonly Row[],
  limit: number,
): [Row[], string | null] {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return [page, rows.length > limit && last !== undefined ? encodeCursor(last.id) : null]
}
