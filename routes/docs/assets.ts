import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** Something that a browser asks for, as it goes out. */
export interface Asset {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
  readonly gzip: Buffer
}

/** Of Swagger UI: what commands/build.js puts beside this file, and where it lies while nothing is built. */
const FOLDERS = ['./swagger-ui/', '../../node_modules/@fastify/swagger-ui/static/']

const pack = promisify(gzip)

export async function assetOf(content: string | Buffer, type: string): Promise<Asset> {
  const body = Buffer.from(content)
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22)
  return { type, etag: `"${digest}"`, body, gzip: await pack(body) }
}

/** Reads and packs a file of Swagger UI; rejects when it is in none of the {@link FOLDERS}. */
export async function swaggerAsset(name: string, type: string): Promise<Asset> {
  const [built, installed] = FOLDERS.map((folder) => fileURLToPath(new URL(`${folder}${name}`, import.meta.url)))
  const content = await readFile(String(built)).catch(() => readFile(String(installed)))
  return assetOf(content, type)
}
