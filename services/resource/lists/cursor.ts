import { InvalidCursorError } from '../../errors.js'
import { packUuid, unpackUuid } from '../../uuid-text.js'

const ID_CHARACTERS = 22
const MARK_CHARACTERS = 7

/** Where a list goes on: after the row `id`, and what it is sorted by had this value there; '' where that is the id alone. */
export interface Position {
  readonly id: string
  readonly value: string
}

/**
 * The opaque cursor that continues a list after the row `id`.
 * @param list names the list: whose it is, of what, how it is narrowed and sorted
 */
export function encodeCursor(list: string, id: string, value = ''): string {
  return packUuid(id) + markOf(list) + Buffer.from(value).toString('base64url')
}

/**
 * The id inside a cursor of a list that is sorted by it.
 * @throws InvalidCursorError for anything that {@link encodeCursor} would not have made for this list
 */
export function decodeCursor(list: string, cursor: string): string {
  return decodePosition(list, cursor, (value) => value === '').id
}

/**
 * The position inside a cursor.
 * @param isValue whether a text can be the value
 * @throws InvalidCursorError for anything that {@link encodeCursor} would not have made for this list
 */
export function decodePosition(list: string, cursor: string, isValue: (text: string) => boolean): Position {
  const [id, end] = [unpackUuid(cursor.slice(0, ID_CHARACTERS)), ID_CHARACTERS + MARK_CHARACTERS]
  if (id === undefined || cursor.slice(ID_CHARACTERS, end) !== markOf(list)) throw new InvalidCursorError()
  const value = Buffer.from(cursor.slice(end), 'base64url').toString()
  if (!isValue(value) || encodeCursor(list, id, value) !== cursor) throw new InvalidCursorError()
  return { id, value }
}

/** FNV-1a of 32 bits: it tells lists apart and proves nothing, since a cursor opens no row that its list does not. */
function markOf(list: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < list.length; index += 1) hash = Math.imul(hash ^ list.charCodeAt(index), 0x01000193)
  return (hash >>> 0).toString(36).padStart(MARK_CHARACTERS, '0')
}
