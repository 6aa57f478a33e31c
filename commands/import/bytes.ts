import { pipeline, Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'

const CHUNK_BYTES = 256 * 1024

/** How many bytes tell what a file is. */
const HEAD_BYTES = 64

/** The first bytes of a stream, and all of them again. */
interface Peeked {
  readonly head: Buffer
  readonly chunks: AsyncIterable<Buffer>
}

/** @param atLeast more are there only where the stream has more */
export async function peek(chunks: AsyncIterable<Buffer>, atLeast = HEAD_BYTES): Promise<Peeked> {
  const iterator = chunks[Symbol.asyncIterator]()
  const read: Buffer[] = []
  let length = 0
  while (length < atLeast) {
    const next = await iterator.next()
    if (next.done === true) break
    read.push(next.value)
    length += next.value.length
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* read
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return { head: Buffer.concat(read), chunks: all() }
}

/**
 * What was packed with gzip, by its first bytes, is unpacked; what is in UTF-16, by its byte order mark or its zeros, comes out in UTF-8; a
 * byte order mark is left out.
 * @throws Error for what is packed otherwise, or written in UTF-32; later for what can't be unpacked or decoded
 */
export async function asUtf8(raw: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
  const packed = await peek(raw)
  if (startsWith(packed.head, [0x50, 0x4b, 3, 4])) {
    throw new Error('This is a ZIP archive, as a workbook of Excel is: unpack it, or save it as CSV in UTF-8')
  }
  if (!startsWith(packed.head, [0x1f, 0x8b])) return decoded(packed)
  // pipeline hands an error on to the stream that is read; the callback only keeps it from being thrown.
  const unpacked = pipeline(Readable.from(packed.chunks), createGunzip({ chunkSize: CHUNK_BYTES }), () => {})
  return decoded(await peek(unpacked))
}

function decoded({ head, chunks }: Peeked): AsyncIterable<Buffer> {
  if (startsWith(head, [0xff, 0xfe, 0, 0]) || startsWith(head, [0, 0, 0xfe, 0xff])) {
    throw new Error('This is UTF-32: save it in UTF-8')
  }
  if (startsWith(head, [0xef, 0xbb, 0xbf])) return without(3, chunks)
  const [first = 1, second = 1, third = 1, fourth = 1] = head
  if (startsWith(head, [0xff, 0xfe]) || (first > 0 && second === 0 && third > 0 && fourth === 0)) {
    return fromUtf16('utf-16le', chunks)
  }
  if (startsWith(head, [0xfe, 0xff]) || (first === 0 && second > 0 && third === 0 && fourth > 0)) {
    return fromUtf16('utf-16be', chunks)
  }
  return chunks
}

async function* fromUtf16(encoding: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding, { fatal: true })
  try {
    for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }))
    yield Buffer.from(decoder.decode())
  } catch (error) {
    throw error instanceof TypeError ? new Error('Not valid UTF-16: save it in UTF-8', { cause: error }) : error
  }
}

async function* without(count: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of chunks) {
    yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

function startsWith(head: Buffer, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, index) => head[index] === byte)
}
