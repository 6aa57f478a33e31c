/** Documents in Redis as they are, or compressed with what Node has: hits and fills. */
import { promisify } from 'node:util'
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  gunzip,
  gzip,
  inflateRawSync,
} from 'node:zlib'
import { Redis } from 'ioredis'
import { rateOf, type Contenders, type OpenContender, type Sample } from '../harness/contender.js'
import { listOf } from './documents.js'

const DOCUMENTS = 200
const AT_ONCE = 64
const [gzipLater, gunzipLater] = [promisify(gzip), promisify(gunzip)]

interface Codec {
  pack(text: string): Buffer | string | Promise<Buffer>
  unpack(bytes: Buffer): string | Promise<string>
}

const FAST_BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }

const CODECS: Readonly<Record<string, Codec>> = {
  'as it is': { pack: (text) => text, unpack: (bytes) => bytes.toString() },
  'deflate, level 1': {
    pack: (text) => deflateRawSync(text, { level: 1 }),
    unpack: (bytes) => inflateRawSync(bytes).toString(),
  },
  'brotli, quality 1': {
    pack: (text) => brotliCompressSync(text, FAST_BROTLI),
    unpack: (bytes) => brotliDecompressSync(bytes).toString(),
  },
  'gzip in the thread pool': {
    pack: (text) => gzipLater(text, { level: 1 }),
    unpack: async (bytes) => (await gunzipLater(bytes)).toString(),
  },
}

const open =
  (name: string, codec: Codec): OpenContender =>
  async ({ redisUrl, bytes, seed }) => {
    const client = new Redis(String(redisUrl))
    const texts = Array.from({ length: DOCUMENTS }, (_, n) => listOf(Number(bytes), Number(seed) + n))
    const keys = texts.map((_, n) => `${name}-${String(bytes)}-${n}`)
    let stored = 0
    const write = async (n: number): Promise<void> => {
      const packed = await codec.pack(texts[n]!)
      stored = Buffer.byteLength(packed)
      await client.set(keys[n]!, packed)
    }
    const read = async (n: number): Promise<void> => {
      const packed = await client.getBuffer(keys[n]!)
      const text = packed === null ? '' : await codec.unpack(packed)
      if (text.length !== texts[n]!.length) throw new Error(`${name} gave another text back`)
    }
    for (let n = 0; n < DOCUMENTS; n++) await write(n)
    let next = 0
    const together =
      (work: (n: number) => Promise<void>) =>
      async (ms: number): Promise<Sample> => {
        const batch = (): Promise<unknown> =>
          Promise.all(Array.from({ length: AT_ONCE }, () => work(next++ % DOCUMENTS)))
        return { ...(await rateOf(ms, AT_ONCE, batch)), stored, text: texts[0]!.length }
      }
    return { turns: { hits: together(read), fills: together(write) }, close: async () => client.disconnect() }
  }

export const contenders: Contenders = Object.fromEntries(
  Object.entries(CODECS).map(([name, codec]) => [name, open(name, codec)]),
)

export const CODEC_NAMES = Object.keys(CODECS)
