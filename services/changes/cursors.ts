import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { parseSnapshot } from '../cache/index.js'
import { InvalidCursorError } from '../errors.js'
import type { Position } from './statements.js'

/** Where a follower is. What `from` sees it has; a window that it has not finished ends at `to`, and `after` is how far it got. */
export interface Cursor {
  /** The history of the database that the snapshots are of. */
  readonly history: string
  readonly from: string
  readonly window?: { readonly to: string; readonly after: Position } | undefined
}

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const MAC_BYTES = 16
const UUID_BYTES = 16

/**
 * Writes and reads cursors, sealed for their user: clients learn nothing of transactions, and neither what they make up nor another
 * user's cursor gets as far as the database. The first secret seals; what another one sealed is still read.
 */
export class Cursors {
  readonly #keys: readonly Buffer[]

  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'roundhouse changes cursor', 32)))
  }

  seal(userId: string, cursor: Cursor): string {
    const [key] = this.#keys
    if (key === undefined) throw new Error('Cursors need a secret')
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(userId))
    const sealed = Buffer.concat([cipher.update(packed(cursor)), cipher.final()])
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url')
  }

  /** @throws InvalidCursorError */
  open(userId: string, text: string): Cursor {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= NONCE_BYTES + MAC_BYTES || bytes.toString('base64url') !== text) throw invalidCursor()
    for (const key of this.#keys) {
      const opened = unsealed(key, userId, bytes)
      if (opened !== undefined) return unpacked(opened)
    }
    throw invalidCursor()
  }
}

function invalidCursor(): Error {
  return Object.assign(new InvalidCursorError(), {
    message:
      'The cursor is not one that /api/changes gave this user: take a new one, by GET without since, and read all lists again',
  })
}

function unsealed(key: Buffer, userId: string, bytes: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(userId))
  decipher.setAuthTag(bytes.subarray(-MAC_BYTES))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -MAC_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

/** Running transactions as their distances below xmax: hundreds of them fit into a URL. */
function packed({ history, from, window }: Cursor): Buffer {
  const parts = [uuidBytes(history), ...snapshotParts(from)]
  if (window !== undefined) {
    const { transaction, rowId, resource, version } = window.after
    parts.push(
      ...snapshotParts(window.to),
      number(transaction),
      uuidBytes(rowId),
      number(version),
      Buffer.from(resource),
    )
  }
  return Buffer.concat(parts)
}

/** Only what {@link packed} made was sealed, so nothing of it is checked. */
function unpacked(bytes: Buffer): Cursor {
  const reader = new Reader(bytes)
  const history = reader.uuid()
  const from = snapshotIn(reader)
  if (reader.isAtEnd) return { history, from }
  const to = snapshotIn(reader)
  const [transaction, rowId, version] = [reader.number(), reader.uuid(), reader.number()]
  return { history, from, window: { to, after: { transaction, rowId, version, resource: reader.rest() } } }
}

function snapshotParts(text: string): Buffer[] {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`The database gave no snapshot but ${text.slice(0, 100)}`)
  const { xmax, xip } = snapshot
  return [BigInt(xmax), BigInt(xip.length), ...xip.map((id) => BigInt(xmax - id))].map(number)
}

function snapshotIn(reader: Reader): string {
  const xmax = reader.number()
  const running = Array.from({ length: Number(reader.number()) }, () => xmax - reader.number())
  return `${running[0] ?? xmax}:${xmax}:${running.join(',')}`
}

function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function number(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  number(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }

  uuid(): string {
    const hex = this.#bytes.subarray(this.#at, (this.#at += UUID_BYTES)).toString('hex')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  rest(): string {
    return this.#bytes.subarray(this.#at).toString()
  }
}
