import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { packUuid, unpackUuid } from '../uuid-text.js'

/** `rh2_<user id>_<secret>_<MAC>`: the user id tells under which owner the token is cached, the MAC that this service made it. */
const TOKEN = /^(rh2_([\w-]{22})_[\w-]{43})_([\w-]{22})$/
/** A token of a release that put no MAC into it. */
const UNPROVEN_TOKEN = /^rh_([\w-]{22})_[\w-]{43}$/
const MAC_BYTES = 16

/** Bytes of randomness in a token. */
export const SECRET_BYTES = 32

/** What the text of a token says before anything is looked up. */
export interface TokenClaim {
  readonly userId: string
  /** This service made the text. It may be revoked or expired all the same. */
  readonly isProven: boolean
}

/** Makes and reads the texts of users' tokens. What somebody invents costs no lookup. */
export class TokenTexts {
  readonly #keys: readonly Buffer[]

  /** @param secrets the first is for new tokens; those made with another one stay good */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'roundhouse user token', 32)))
  }

  /** The text of a token of `userId`, from {@link SECRET_BYTES} random bytes. */
  make(userId: string, secret: Uint8Array): string {
    const [key] = this.#keys
    if (key === undefined) throw new Error('There is no secret to make tokens with')
    const body = `rh2_${packUuid(userId)}_${Buffer.from(secret).toString('base64url')}`
    return `${body}_${macOf(key, body).toString('base64url')}`
  }

  /** `undefined` for a text that is no token of this service. */
  read(text: string): TokenClaim | undefined {
    const [, body, packed, mac] = TOKEN.exec(text) ?? []
    if (body === undefined || packed === undefined || mac === undefined) return readUnproven(text)
    const userId = unpackUuid(packed)
    const given = Buffer.from(mac, 'base64url')
    // Another spelling of the same bytes must not be a second token.
    if (userId === undefined || given.length !== MAC_BYTES || given.toString('base64url') !== mac) return undefined
    const isProven = this.#keys.some((key) => timingSafeEqual(macOf(key, body), given))
    return isProven ? { userId, isProven } : undefined
  }
}

function readUnproven(text: string): TokenClaim | undefined {
  const packed = UNPROVEN_TOKEN.exec(text)?.[1]
  const userId = packed === undefined ? undefined : unpackUuid(packed)
  return userId === undefined ? undefined : { userId, isProven: false }
}

function macOf(key: Buffer, body: string): Buffer {
  return createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
}

/** What is stored instead of the text: SHA-256 in hex. Enough without salt or stretching for 256 random bits. */
export function tokenHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
