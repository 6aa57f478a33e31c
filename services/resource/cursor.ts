import { InvalidCursorError } from '../errors.js'
import { packUuid, unpackUuid } from '../uuid-text.js'

/** The opaque cursor that continues a list after the row `id`. */
export function encodeCursor(id: string): string {
  return packUuid(id)
}

/**
 * The id inside a cursor.
 * @throws InvalidCursorError for anything that {@link encodeCursor} would not have made
 */
export function decodeCursor(cursor: string): string {
  const id = unpackUuid(cursor)
  if (id === undefined) throw new InvalidCursorError()
  return id
}
