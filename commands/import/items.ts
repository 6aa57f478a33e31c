import { TextDecoder } from 'node:util'
import { type Line, lineOf } from './lines.js'

const [QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [34, 44, 91, 92, 93, 123, 125]
const SPACES = [9, 10, 13, 32]

/**
 * Cuts a JSON array in UTF-8 into its items, without reading it as a whole.
 * @throws Error when it does not end, or something comes after its end
 */
export async function* itemsOf(chunks: AsyncIterable<Buffer>, maxItemBytes: number): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [number, length, depth] = [1, 0, 0]
  let [isInString, isEscaped, isOver] = [false, false, false]
  let pieces: Buffer[] = []

  const add = (piece: Buffer): void => {
    length += piece.length
    if (length <= maxItemBytes) pieces.push(piece)
    else pieces = []
  }
  const take = (): Line | undefined => {
    const item = lineOf(number, length > maxItemBytes ? undefined : Buffer.concat(pieces), decoder, maxItemBytes)
    if (item !== undefined) number += 1
    length = 0
    pieces = []
    return item
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isInString = false
      } else if (isOver || depth === 0) {
        if (SPACES.includes(byte)) continue
        if (isOver || byte !== OPEN_LIST) throw new Error('Not a JSON array: something comes after its end')
        depth = 1
        start = at + 1
      } else if (byte === QUOTE) isInString = true
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1
      else if (depth === 1 && (byte === COMMA || byte === CLOSE_LIST)) {
        add(chunk.subarray(start, at))
        const item = take()
        if (item !== undefined) yield item
        start = at + 1
        isOver = byte === CLOSE_LIST
      } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth = Math.max(1, depth - 1)
    }
    if (depth > 0 && !isOver) add(chunk.subarray(start))
  }
  if (!isOver) throw new Error('The JSON array does not end: the file is cut off')
}
