import { createHash } from 'node:crypto'
import { packUuid, unpackUuid } from '../resource/uuid-text.js'

/** `rh_<user id>_<secret>`: the user id tells under which owner the token is cached, before any lookup. */
const TOKEN = /^rh_([\w-]{22})_[\w-]{43}$/

/** Bytes of randomness in a token. */
export const SECRET_BYTES = 32

/** The text of a token of `userId`, from {@link SECRET_BYTES} random bytes. */
export function tokenText(userId: string, secret: Uint8Array): string {
  return `rh_${packUuid(userId)}_${Buffer.from(secret).toString('base64url')}`
}

/** Whose token `text` claims to be; `undefined` when it is not the text of a user's token. */
export function tokenOwner(text: string): string | undefined {
  const packed = TOKEN.exec(text)?.[1]
  return packed === undefined ? undefined : unpackUuid(packed)
}

/** What is stored instead of the text: SHA-256 in hex. Enough without salt or stretching for 256 random bits. */
export function tokenHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
