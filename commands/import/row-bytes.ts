/**
 * The longest line or item that is read. An export writes no row longer that was made by the API or by an import: its own columns have at most
 * {@link MOST_ROW_BYTES}, to which the database adds a space for each of its shortest values, half as much again, and the export some names.
 */
export const MOST_LINE_BYTES = 5 * 1_048_576

/**
 * The longest row that is written, as JSON without spaces. A body in bulk has 1 MiB, in which `1e6` may stand for 1000000 and a character for the
 * three of its composed form. Were longer rows taken, their own exports could not be imported.
 */
export const MOST_ROW_BYTES = 3 * 1_048_576

/** A line of fewer characters is no row as long as that: one becomes six bytes at most. */
const PERHAPS_LONG = MOST_ROW_BYTES / 6

/** What is wrong with the length of a row; `undefined`: nothing. */
export function lengthFault(text: string, body: object): string | undefined {
  if (text.length <= PERHAPS_LONG || Buffer.byteLength(JSON.stringify(body)) <= MOST_ROW_BYTES) return undefined
  return `longer than ${MOST_ROW_BYTES} bytes without spaces`
}
