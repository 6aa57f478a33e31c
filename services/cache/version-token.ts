import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { RaisedTag } from './entry.js'

/** A token that is not one of this service's, or was altered. */
export class InvalidVersionTokenError extends Error {
  override readonly name = 'InvalidVersionTokenError'
}

/** What a write raised, as its client may send it back. */
export interface VersionToken {
  /** Versions by {@link tagDigest}. */
  readonly versions: ReadonlyMap<string, number>
  /** The write raised more tags than the token holds: only a tail tells which. */
  readonly isPartial: boolean
}

const DIGEST_BYTES = 8
const VERSION_BYTES = 6
const ROW_BYTES = DIGEST_BYTES + VERSION_BYTES
const MAC_BYTES = 12
/** 1 + 9 × 14 + 12 bytes are 186 characters; the header is promised to stay within 200. */
const MAX_ROWS = 9

/**
 * Writes and reads version tokens: the raised versions under digests of their tags, signed. They must not be forged: a
 * version that no write drew would hide later invalidations of its tag. (For the same reason the digest is not shorter.)
 */
export class VersionTokens {
  readonly #secret: string

  constructor(secret: string) {
    this.#secret = secret
  }

  write(raised: readonly RaisedTag[]): string {
    const rows = raised.slice(0, MAX_ROWS)
    const body = Buffer.alloc(1 + rows.length * ROW_BYTES)
    body.writeUInt8(raised.length > MAX_ROWS ? 1 : 0)
    rows.forEach(({ tag, version }, n) => {
      const at = 1 + n * ROW_BYTES
      body.write(tagDigest(tag), at, 'base64url')
      body.writeUIntBE(version, at + DIGEST_BYTES, VERSION_BYTES)
    })
    return Buffer.concat([body, this.#mac(body)]).toString('base64url')
  }

  /** @throws InvalidVersionTokenError */
  read(text: string): VersionToken {
    const bytes = Buffer.from(text, 'base64url')
    const body = bytes.subarray(0, -MAC_BYTES)
    const isWhole = body.length > 0 && (body.length - 1) % ROW_BYTES === 0 && bytes.toString('base64url') === text
    if (!isWhole || !timingSafeEqual(this.#mac(body), bytes.subarray(-MAC_BYTES))) throw new InvalidVersionTokenError()
    const versions = new Map<string, number>()
    for (let at = 1; at < body.length; at += ROW_BYTES) {
      const digest = body.toString('base64url', at, at + DIGEST_BYTES)
      versions.set(digest, body.readUIntBE(at + DIGEST_BYTES, VERSION_BYTES))
    }
    return { versions, isPartial: body[0] === 1 }
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest().subarray(0, MAC_BYTES)
  }
}

/** Stands for a tag in a token. */
export function tagDigest(tag: string): string {
  return createHash('sha256').update(tag).digest().toString('base64url', 0, DIGEST_BYTES)
}
