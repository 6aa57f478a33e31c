import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { WriteVersion } from './cache/index.js'
import { InvalidVersionError } from './errors.js'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const DIGEST_BYTES = 8
const ID_BYTES = 8
const MAC_BYTES = 16
const TOKEN_BYTES = NONCE_BYTES + DIGEST_BYTES + ID_BYTES + MAC_BYTES

/**
 * Writes and reads `Roundhouse-Version`: a transaction of the database, sealed. Clients learn nothing from it (how much is written, by
 * anybody), and what they make up is refused without a query.
 */
export class VersionTokens {
  readonly #key: Buffer

  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'roundhouse version token', 32))
  }

  seal({ identity, transaction }: WriteVersion): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce)
    const id = Buffer.alloc(ID_BYTES)
    id.writeBigUInt64BE(BigInt(transaction))
    const sealed = Buffer.concat([cipher.update(digestOf(identity)), cipher.update(id), cipher.final()])
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url')
  }

  /**
   * @param identity the history of the database as it is known now
   * @throws InvalidVersionError
   */
  open(token: string, identity: string): { readonly transaction: number; readonly isOfThisHistory: boolean } {
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length !== TOKEN_BYTES || bytes.toString('base64url') !== token) throw new InvalidVersionError()
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAuthTag(bytes.subarray(-MAC_BYTES))
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -MAC_BYTES)), decipher.final()])
      return {
        transaction: Number(opened.readBigUInt64BE(DIGEST_BYTES)),
        isOfThisHistory: digestOf(identity).equals(opened.subarray(0, DIGEST_BYTES)),
      }
    } catch {
      throw new InvalidVersionError()
    }
  }
}

function digestOf(identity: string): Buffer {
  return createHash('sha256').update(identity).digest().subarray(0, DIGEST_BYTES)
}
