import { TextDecoder } from 'node:util'

/** One line, or item, that is not empty: its text, or why it can't be read. The first one of a file is number 1. */
export type Line =
  { readonly number: number; readonly text: string } | { readonly number: number; readonly fault: string }

const [NEWLINE, RETURN] = [10, 13]

/** Cuts chunks of UTF-8 into lines, which end in `\n`, `\r\n` or `\r`: a text of JSON holds neither inside of its strings. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let number = 1
  let length = 0
  let pieces: Buffer[] = []
  let isAfterReturn = false

  const add = (piece: Buffer): void => {
    length += piece.length
    if (length <= maxLineBytes) pieces.push(piece)
    else pieces = []
  }
  const take = (): Line | undefined => {
    const line = lineOf(number, length > maxLineBytes ? undefined : Buffer.concat(pieces), decoder, maxLineBytes)
    number += 1
    length = 0
    pieces = []
    return line
  }
  for await (const chunk of chunks) {
    let start = isAfterReturn && chunk[0] === NEWLINE ? 1 : 0
    if (chunk.length > 0) isAfterReturn = false
    const ends = new Ends(chunk)
    for (let end = ends.from(start); end >= 0; end = ends.from(start)) {
      add(chunk.subarray(start, end))
      const isReturn = chunk[end] === RETURN
      isAfterReturn = isReturn && end === chunk.length - 1
      start = isReturn && chunk[end + 1] === NEWLINE ? end + 2 : end + 1
      const line = take()
      if (line !== undefined) yield line
    }
    add(chunk.subarray(start))
  }
  const last = take()
  if (last !== undefined) yield last
}

/** Where lines end in a chunk. Each of the two bytes is looked for once, however far away the next one is. */
class Ends {
  readonly #chunk: Buffer
  #newline = -2
  #return = -2

  constructor(chunk: Buffer) {
    this.#chunk = chunk
  }

  from(start: number): number {
    this.#newline = this.#next(this.#newline, NEWLINE, start)
    this.#return = this.#next(this.#return, RETURN, start)
    if (this.#newline < 0) return this.#return
    return this.#return < 0 ? this.#newline : Math.min(this.#newline, this.#return)
  }

  /** -2: not looked for yet; -1: there is none. */
  #next(known: number, byte: number, start: number): number {
    return known === -1 || known >= start ? known : this.#chunk.indexOf(byte, start)
  }
}

/** @param bytes `undefined`: too many to be kept */
export function lineOf(
  number: number,
  bytes: Buffer | undefined,
  decoder: TextDecoder,
  maxBytes: number,
): Line | undefined {
  if (bytes === undefined) return { number, fault: `longer than ${maxBytes} bytes` }
  try {
    const text = decoder.decode(bytes).trim()
    return text === '' ? undefined : { number, text }
  } catch {
    return { number, fault: 'not valid UTF-8' }
  }
}
