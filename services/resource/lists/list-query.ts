import { packUuid } from '../../uuid-text.js'
import { decodeCursor, decodePosition, encodeCursor, type Position } from './cursor.js'
import { elementType } from '../sql/columns.js'
import type { ResourceDefinition } from '../definition.js'
import { instantText } from './instant.js'
import { type Order, type Orders, ordersOf } from './orders.js'

/** In the name of a field: one of the values is enough. */
const ANY = 'any_'

/** How a list is narrowed by one field of its query: does the column equal the value, or does its array hold it? */
export interface Filter {
  readonly column: string
  readonly type: string
  readonly test: 'equals' | 'contains'
}

/** A field of the query that narrows a list. Of an array all that is given, or one of it, must be there. */
interface Field {
  readonly name: string
  readonly filter: Filter
  readonly isAny: boolean
}

/** What the lists of a resource can be narrowed and sorted by. */
export interface Lists {
  readonly fields: readonly Field[]
  readonly orders: Orders
}

/** @throws Error when a filter or an order names no column, or one that it can't be by */
export function listsOf(definition: ResourceDefinition): Lists {
  const { name, filters, columns } = definition
  const fields = Object.entries(filters).flatMap(([field, column]): Field[] => {
    const type = columns[column]
    if (type === undefined) throw new Error(`${name}: the filter ${field} names ${column}, which is no column`)
    const isArray = type.endsWith('[]')
    const filter: Filter = { column, type: elementType(type), test: isArray ? 'contains' : 'equals' }
    const all = { name: field, filter, isAny: false }
    return isArray ? [all, { name: ANY + field, filter, isAny: true }] : [all]
  })
  return { fields, orders: ordersOf(definition) }
}

type Value = string | number | boolean

/** A list query as it arrives, validated by the resource's query schema. */
export type ListQuery = Readonly<Record<string, Value | readonly Value[] | undefined>>

/** A filter with what was given for it: of an array all that it must hold, or those of which it must hold one. */
export interface Match {
  readonly filter: Filter
  readonly values: readonly Value[]
  readonly isAny: boolean
}

/** What one page of a list holds. */
export interface Selection {
  /** The same text for the same page, however the caller wrote the query: part of the list's cache key. */
  readonly canonical: string
  /** Names the list that this is a page of; its cursors are good for no other. */
  readonly list: string
  readonly limit: number
  readonly order: Order
  readonly isDescending: boolean
  /** The page begins after this row. */
  readonly after: Position | undefined
  readonly matches: readonly Match[]
  /** Each word of it must be the beginning of one in the row. */
  readonly words: string | undefined
  readonly updatedSince: string | undefined
  readonly externalId: string | undefined
  /** Whether the page says how many rows the list has. */
  readonly isCounted: boolean
}

const DEFAULT_LIMIT = 50
const NEWEST_FIRST = '-created'

/**
 * @param tag of the list before it is narrowed
 * @throws InvalidCursorError
 */
export function selectionOf(tag: string, { fields, orders }: Lists, query: ListQuery): Selection {
  const parts: string[] = []
  const matches: Match[] = []
  for (const field of fields) {
    const given = query[field.name]
    if (given !== undefined) matches.push(matchOf(field, given, parts))
  }
  const { q: words, updated_since: since, external_id: externalId, sort = NEWEST_FIRST, cursor } = query
  const updatedSince = since === undefined ? undefined : instantText(String(since))
  if (words !== undefined) parts.push(`q=${encodeURIComponent(lowered(String(words).trim()))}`)
  if (updatedSince !== undefined) parts.push(`updated_since=${encodeURIComponent(updatedSince)}`)
  if (externalId !== undefined) parts.push(`external_id=${encodeURIComponent(String(externalId))}`)
  if (sort !== NEWEST_FIRST) parts.push(`sort=${String(sort)}`)
  const word = String(sort)
  const isDescending = word.startsWith('-')
  const order = orders[isDescending ? word.slice(1) : word]
  if (order === undefined) throw new Error(`${tag} can not be sorted by ${word}, but the schema of its query allows it`)
  const list = parts.length === 0 ? tag : `${tag}?${parts.join('&')}`
  const [limit, isCounted] = [limitOf(query), query['total'] === true]
  const after = cursor === undefined ? undefined : decodePosition(list, String(cursor), order.isValue)
  parts.push(`limit=${limit}`)
  if (after !== undefined) parts.push(`cursor=${packUuid(after.id)}${encodeURIComponent(after.value)}`)
  if (isCounted) parts.push('total=true')
  return {
    // Nearly every list is asked for without filters: nothing to sort then.
    canonical: parts.length === 1 ? `limit=${limit}` : parts.sort().join('&'),
    list,
    limit,
    order,
    isDescending,
    after,
    matches,
    words: textOf(words),
    updatedSince,
    externalId: textOf(externalId),
    isCounted,
  }
}

/** Adds its text to `parts`. */
function matchOf({ name, filter, isAny }: Field, given: Value | readonly Value[], parts: string[]): Match {
  if (filter.test === 'equals' && typeof given !== 'object') {
    const value = spelling(filter, given)
    parts.push(`${name}=${encodeURIComponent(value)}`)
    return { filter, values: [value], isAny }
  }
  const all: readonly Value[] = isAny ? String(given).split(',') : [given].flat()
  const values = [...new Set(all.map((value) => spelling(filter, value)))].sort(inOrder)
  parts.push(`${name}=${values.map((value) => encodeURIComponent(value)).join(',')}`)
  return { filter, values, isAny }
}

/** Any order will do, as long as it is one. */
function inOrder(a: Value, b: Value): number {
  return a < b ? -1 : 1
}

/** One for all that the database takes for the same; of other letters than those of ASCII it knows more. */
function spelling({ type, test }: Filter, value: Value): Value {
  if (type === 'uuid') return String(value).toLowerCase()
  return type === 'text' && test === 'contains' ? lowered(String(value)) : value
}

/** The database folds the letters of ASCII in any case. */
function lowered(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function textOf(value: Value | readonly Value[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}

function limitOf(query: ListQuery): number {
  return typeof query['limit'] === 'number' ? query['limit'] : DEFAULT_LIMIT
}

/**
 * Limit and keyset position of a list that is sorted by id.
 * @throws InvalidCursorError
 */
export function pageOf(list: string, query: ListQuery): { readonly limit: number; readonly after: string | undefined } {
  return {
    limit: limitOf(query),
    after: query['cursor'] === undefined ? undefined : decodeCursor(list, String(query['cursor'])),
  }
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
