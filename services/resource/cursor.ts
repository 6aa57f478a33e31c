import { InvalidCursorError } from '../errors.js'
import { packUuid, unpackUuid } from '../uuid-text.js'

const ID_CHARACTERS = 22

/**
 * The opaque cursor that continues a list after the row `id`.
 * @param list names the list: whose it is, of what, and how it is narrowed
 */
export function encodeCursor(list: string, id: string): string {
  return packUuid(id) + markOf(list)
}

/**
 * The id inside a cursor.
 * @throws InvalidCursorError for anything that {@link encodeCursor} would not have made for this list
 */
export function decodeCursor(list: string, cursor: string): string {
  const id = unpackUuid(cursor.slice(0, ID_CHARACTERS))
  if (id === undefined || cursor.slice(ID_CHARACTERS) !== markOf(list)) throw new InvalidCursorError()
  return id
}

/** FNV-1a of 32 bits: it tells lists apart and proves nothing, since a cursor opens no row that its list does not. */
function markOf(list: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < list.length; index += 1) hash = Math.imul(hash ^ list.charCodeAt(index), 0x01000193)
  return (hash >>> 0).toString(36).padStart(7, '0')
}
