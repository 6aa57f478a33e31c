import { packUuid } from '../uuid-text.js'
import { decodeCursor, encodeCursor } from './cursor.js'
import { elementType } from './columns.js'
import type { ResourceDefinition } from './definition.js'

/** How a list is narrowed by one field of its query: does the column equal the value, or does its array hold it? */
export interface Filter {
  readonly column: string
  readonly type: string
  readonly test: 'equals' | 'contains'
}

/** By field of the query. */
export type Filters = Readonly<Record<string, Filter>>

/** @throws Error when a filter names no column */
export function filtersOf({ name, filters, columns }: ResourceDefinition): Filters {
  const entries = Object.entries(filters).map(([field, column]): [string, Filter] => {
    const type = columns[column]
    if (type === undefined) throw new Error(`${name}: the filter ${field} names ${column}, which is no column`)
    return [field, { column, type: elementType(type), test: type.endsWith('[]') ? 'contains' : 'equals' }]
  })
  return Object.fromEntries(entries)
}

/** A list query as it arrives, validated by the resource's query schema. */
export type ListQuery = Readonly<Record<string, string | number | boolean | undefined>>

/** What one page of a list holds. */
export interface Selection {
  /** The same text for the same page, however the caller wrote the query: part of the list's cache key. */
  readonly canonical: string
  /** Names the list that this is a page of; its cursors are good for no other. */
  readonly list: string
  readonly limit: number
  /** The page begins after this id. */
  readonly after: string | undefined
  readonly filters: readonly (readonly [Filter, string | number | boolean])[]
}

const DEFAULT_LIMIT = 50

/**
 * @param tag of the list before it is narrowed
 * @throws InvalidCursorError
 */
export function selectionOf(tag: string, filters: Filters, query: ListQuery): Selection {
  const chosen: [Filter, string | number | boolean][] = []
  const parts: string[] = []
  for (const field of Object.keys(filters)) {
    const [filter, given] = [filters[field], query[field]]
    if (filter === undefined || given === undefined) continue
    const value = filter.type === 'uuid' ? String(given).toLowerCase() : given
    chosen.push([filter, value])
    parts.push(`${field}=${encodeURIComponent(value)}`)
  }
  const list = parts.length === 0 ? tag : `${tag}?${parts.join('&')}`
  const { after, limit } = pageOf(list, query)
  parts.push(`limit=${limit}`)
  if (after !== undefined) parts.push(`cursor=${packUuid(after)}`)
  // Nearly every list is asked for without filters: nothing to sort then.
  const canonical = parts.length === 1 ? `limit=${limit}` : parts.sort().join('&')
  return { canonical, list, limit, after, filters: chosen }
}

/**
 * Limit and keyset position of a list query.
 * @throws InvalidCursorError
 */
export function pageOf(list: string, query: ListQuery): { readonly limit: number; readonly after: string | undefined } {
  const limit = typeof query['limit'] === 'number' ? query['limit'] : DEFAULT_LIMIT
  return { limit, after: query['cursor'] === undefined ? undefined : decodeCursor(list, String(query['cursor'])) }
}

/** Cuts a list that was read one row too far, and names the cursor of the next page. */
export function cutPage<Row extends { readonly id: string }>(
  rows: readonly Row[],
  limit: number,
  list: string,
): [Row[], string | null] {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return [page, rows.length > limit && last !== undefined ? encodeCursor(list, last.id) : null]
}
