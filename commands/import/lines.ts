import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'

/** One line that is not empty: its text, or why it can't be read. The first line of a file is number 1. */
export type Line =
  { readonly number: number; readonly text: string } | { readonly number: number; readonly fault: string }

export interface LineFile {
  readonly sizeBytes: number
  /** How much of the file, as it lies on the disk, has been read so far. */
  readonly readBytes: () => number
  readonly lines: AsyncIterable<Line>
}

const NEWLINE = 10
const CHUNK_BYTES = 256 * 1024

/**
 * Opens a file of lines, packed with gzip when its name ends in `.gz`. It is read as the lines are asked for: memory
 * holds one chunk and one line of at most `maxLineBytes`.
 * @throws Error when there is no such file; `lines` throws when reading or unpacking fails
 */
export function openLines(path: string, maxLineBytes: number): LineFile {
  const { size } = statSync(path)
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  // pipeline hands an error of the file on to the stream that is read; the callback only keeps it from being thrown.
  const chunks = path.endsWith('.gz') ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {}) : file
  return { sizeBytes: size, readBytes: () => file.bytesRead, lines: linesOf(chunks, maxLineBytes) }
}

/** Cuts chunks into lines. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let number = 1
  let length = 0
  let pieces: Buffer[] = []

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
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end))
      start = end + 1
      const line = take()
      if (line !== undefined) yield line
    }
    add(chunk.subarray(start))
  }
  const last = take()
  if (last !== undefined) yield last
}

function lineOf(number: number, bytes: Buffer | undefined, decoder: TextDecoder, maxBytes: number): Line | undefined {
  if (bytes === undefined) return { number, fault: `longer than ${maxBytes} bytes` }
  try {
    const text = decoder.decode(bytes).trim()
    return text === '' ? undefined : { number, text }
  } catch {
    return { number, fault: 'not valid UTF-8' }
  }
}
