import type { Lookup, TieredCache } from '../cache/index.js'
import type { Document } from '../documents/document.js'
import { ServiceUnavailableError, TooManyRequestsError } from '../errors.js'
import { profileEntry, tokenEntry } from './addresses.js'
import type { User } from './schema.js'
import type { Credentials } from './credentials.js'
import type { KnownToken } from './token-service.js'
import { RateBound } from '../rate-bound.js'
import { type TokenClaim, tokenHash } from './token-text.js'

/** Who is asking: an administrator by ADMIN_TOKENS, who has no rows, or a user by one of their tokens. */
export interface Principal {
  /** The user's id; `undefined` for an administrator. */
  readonly id: string | undefined
  /** Of the user's token. */
  readonly tokenId: string | undefined
  /** The role inside the user's own shop; it grants nothing here. */
  readonly role: User['role'] | undefined
  readonly isAdmin: boolean
  /** An administrator, or one who may only look. */
  readonly mayInspect: boolean
  /** What the log calls them. */
  readonly name: string
  /**
   * The replica is isolated: that the token is good was true when it last followed the journal. Reads what is marked as stale, and
   * nothing else.
   */
  readonly isStale: boolean
}

export interface AuthenticatorOptions {
  readonly credentials: Pick<Credentials, 'find' | 'read'>
  readonly cache: Pick<TieredCache, 'peek' | 'isolatedMs'>
  /** How long before this replica became isolated a token must have been verified here to be of use while it is, in ms. */
  readonly staleIfErrorMs: number
  /** Wall-clock milliseconds since 1970: expiry is a date. */
  readonly wallMs: () => number
  /** Monotonic ms. */
  readonly now: () => number
}

/** Where the lookups of one token text are, so that it is hashed once and its keys are made once. */
interface Recognised {
  readonly claim: TokenClaim
  readonly hash: string
  /** The keys of the two entries. */
  readonly token: string
  readonly profile: string
  /** What the two documents said when they were last judged: the same two say the same, but for the time. */
  judged: Judgement
  /** How long ago the token had been loaded when it was last accepted, in ms: tells when that was, without a look at a clock. */
  ageMs: number
  /** Was it of use since it was last passed over? */
  isUsed: boolean
}

interface Judgement {
  readonly token: Document | undefined
  readonly profile: Document | undefined
  readonly expiresAtMs: number | null
  readonly principal: Principal
}

/** A token that was found good, with what it was judged by. */
interface Accepted {
  readonly claim: TokenClaim
  readonly hash: string
  readonly token: Lookup<Document>
  readonly profile: Lookup<Document>
  readonly principal: Principal
}

/** With what they refer to about 1 KiB each; all of them have the same length. */
export const MOST_RECOGNISED = 16_384

/** So many lookups a second of texts without a MAC may find no token: anybody can invent those. */
const INVENTED_PER_SECOND = 50

/** Turns the text of a user's token into the user, by two cached lookups; expiry is checked each time. */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  /** Only tokens that were accepted once: made-up ones can't push those out. Of those not used since they were looked at, the oldest goes. */
  readonly #recognised = new Map<string, Recognised>()
  readonly #invented: RateBound

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#invented = new RateBound(INVENTED_PER_SECOND, options.now)
  }

  /** The user, when memory holds both lookups fresh; never waits. `undefined` says nothing about the token. */
  peek(text: string): Principal | undefined {
    const recognised = this.#recognised.get(text)
    if (recognised === undefined) return undefined
    const token = this.#options.cache.peek<Document>(recognised.token)
    if (token === undefined) return undefined
    const profile = this.#options.cache.peek<Document>(recognised.profile)
    if (profile === undefined) return undefined
    const { judged } = recognised
    if (judged.token !== token.value || judged.profile !== profile.value) {
      const principal = this.#judge(token, profile)
      if (principal === undefined) return undefined
      recognised.judged = judgement(token, profile, principal)
    } else if (this.#isOver(judged.expiresAtMs)) return undefined
    recognised.ageMs = token.ageMs
    recognised.isUsed = true
    return recognised.judged.principal
  }

  /** Whose token a text claims to be; `undefined` for what is no user's. One that was accepted once is not looked at again. */
  claimOf(text: string): TokenClaim | undefined {
    return this.#recognised.get(text)?.claim ?? this.#options.credentials.read(text)
  }

  /**
   * The user, `undefined` when the token is unknown, revoked or expired, or its user gone or inactive.
   * @throws ServiceUnavailableError, DatabaseUnavailableError, JournalUnavailableError when nothing can tell;
   * TooManyRequestsError for a text without a MAC while many are invented
   */
  async authenticate(text: string, claim = this.claimOf(text)): Promise<Principal | undefined> {
    const { credentials } = this.#options
    if (claim === undefined) return undefined
    const { isProven } = claim
    const recognised = this.#recognised.get(text)
    if (!isProven && recognised === undefined && this.#invented.isReached) throw new TooManyRequestsError()
    const hash = recognised?.hash ?? tokenHash(text)
    const { token, profile } = await credentials.find(claim, hash)
    const principal = this.#judge(token, profile)
    if (isOnError(token) || isOnError(profile)) return this.#whileIsolated(principal, token, recognised)
    if (!isProven && token.value === undefined) this.#invented.count()
    if (principal !== undefined) this.#remember(text, { claim, hash, token, profile, principal })
    return principal
  }

  #remember(text: string, { claim, hash, token, profile, principal }: Accepted): void {
    if (this.#recognised.size >= MOST_RECOGNISED && !this.#recognised.has(text)) this.#makeRoom()
    const keys = { token: tokenEntry(claim.userId, hash).key, profile: profileEntry(claim.userId).key }
    const judged = judgement(token, profile, principal)
    this.#recognised.set(text, { claim, hash, ...keys, judged, ageMs: token.ageMs, isUsed: false })
  }

  /** Who was of use goes to the end of the line, once. */
  #makeRoom(): void {
    for (const [text, recognised] of this.#recognised) {
      this.#recognised.delete(text)
      if (!recognised.isUsed) return
      recognised.isUsed = false
      this.#recognised.set(text, recognised)
    }
  }

  /**
   * Nothing says what has changed since the replica became isolated. Let in, to read, is whom this replica itself accepted, or looked
   * up in the database, shortly before. The others may be good by now, so they are told to come again.
   */
  #whileIsolated(
    principal: Principal | undefined,
    token: Lookup<Document>,
    recognised: Recognised | undefined,
  ): Principal {
    const { cache, staleIfErrorMs } = this.#options
    const acceptedMs = recognised !== undefined && recognised.judged.token === token.value ? recognised.ageMs : 0
    const beforeMs = token.ageMs - acceptedMs - cache.isolatedMs
    if (principal === undefined || beforeMs > staleIfErrorMs) throw new ServiceUnavailableError()
    return { ...principal, isStale: true }
  }

  #judge({ value: token }: Lookup<Document>, { value: profile }: Lookup<Document>): Principal | undefined {
    if (token === undefined || profile === undefined) return undefined
    const { id: tokenId, expires_at_ms: expiresAtMs } = token.parse<KnownToken>()
    if (this.#isOver(expiresAtMs)) return undefined
    const { id, role, is_active: isActive } = profile.parse<User>()
    if (!isActive) return undefined
    return { id, tokenId, role, isAdmin: false, mayInspect: false, name: `user ${id}`, isStale: false }
  }

  #isOver(expiresAtMs: number | null): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#options.wallMs()
  }
}

function isOnError({ outcome }: Lookup): boolean {
  return outcome === 'stale-if-error'
}

function judgement(
  { value: token }: Lookup<Document>,
  { value: profile }: Lookup<Document>,
  principal: Principal,
): Judgement {
  const expiresAtMs = token?.parse<KnownToken>().expires_at_ms ?? null
  return { token, profile, expiresAtMs, principal }
}
