import { constants, createReadStream, openSync, type ReadStream, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { asUtf8, peek } from './bytes.js'
import { rowsOfCsv } from './csv.js'
import { itemsOf } from './items.js'
import { type Line, linesOf } from './lines.js'
import type { Mapping } from './mapping.js'

export interface Input {
  /** What a report calls one line. */
  readonly noun: 'Line' | 'Item'
  /** `undefined` when nobody knows. */
  readonly sizeBytes: number | undefined
  /** How much of the file, as it lies on the disk, has been read so far. */
  readonly readBytes: () => number
  readonly lines: AsyncIterable<Line>
}

export interface InputOptions {
  /** Of JSON; CSV has a bound of its own. */
  readonly maxLineBytes: number
  /** The file is CSV, of which each row is made like this. */
  readonly mapping?: Mapping | undefined
  /** Ends the reading, also while a pipe has nothing to give. */
  readonly signal: AbortSignal
}

/** `-` on the command line. */
export const STANDARD_INPUT = '-'

const CHUNK_BYTES = 256 * 1024

/**
 * Opens a file of JSON lines, one JSON array, or CSV. It is read as the lines are asked for: memory holds one chunk and one line.
 * @throws Error when there is no such file, or it can be none of these; `lines` throws when reading or unpacking fails
 */
export async function openInput(path: string, options: InputOptions): Promise<Input> {
  const { maxLineBytes, mapping, signal } = options
  const file = path === STANDARD_INPUT ? undefined : openFile(path)
  const raw = addAbortSignal(signal, file ?? process.stdin)
  const { head, chunks } = await peek(await asUtf8(raw))
  const start = head.toString('latin1').trimStart()
  const common = { sizeBytes: sizeOf(path), readBytes: () => file?.bytesRead ?? 0 }
  if (mapping !== undefined) {
    return { noun: 'Line', ...common, lines: await rowsOfCsv(chunks, mapping) }
  }
  if (start.startsWith('[')) return { noun: 'Item', ...common, lines: itemsOf(chunks, maxLineBytes) }
  if (/^[\w"][^{\n\r]*[,;\t]/.test(start)) {
    throw new Error('This looks like CSV: --mapping says what its columns are (etsy, shopify, or a file of yours)')
  }
  return { noun: 'Line', ...common, lines: linesOf(chunks, maxLineBytes) }
}

/** A named pipe is polled: to open or to read it as a file holds a thread that nothing interrupts, until somebody writes. */
function openFile(path: string): ReadStream | Socket {
  if (!statSync(path).isFIFO()) return createReadStream(path, { highWaterMark: CHUNK_BYTES })
  return new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false })
}

/** @throws Error when there is no such file */
export function sizeOf(path: string): number | undefined {
  if (path === STANDARD_INPUT) return undefined
  const found = statSync(path)
  if (found.isDirectory()) throw new Error(`${path} is a folder: name a file`)
  return found.isFile() ? found.size : undefined
}
