import type { Lookup, TieredCache } from '../cache/index.js'
import type { Document } from '../documents/document.js'
import { ServiceUnavailableError, TooManyRequestsError } from '../errors.js'
import { profileEntry, tokenEntry } from './addresses.js'
import type { User } from './schema.js'
import type { UserService } from './service.js'
import type { KnownToken, TokenService } from './token-service.js'
import { RateBound } from './rate-bound.js'
import { tokenHash } from './token-text.js'

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
}

export interface AuthenticatorOptions {
  readonly users: Pick<UserService, 'get'>
  readonly tokens: Pick<TokenService, 'find' | 'read'>
  readonly cache: Pick<TieredCache, 'peek'>
  /** Wall-clock milliseconds since 1970: expiry is a date. */
  readonly wallMs: () => number
  /** Monotonic ms. */
  readonly now: () => number
}

/** Where the lookups of one token text are, so that it is hashed once and its keys are made once. */
interface Recognised {
  readonly hash: string
  /** The keys of the two entries. */
  readonly token: string
  readonly profile: string
  /** What the two documents said when they were last judged: the same two say the same, but for the time. */
  judged: Judgement | undefined
}

interface Judgement {
  readonly token: Document
  readonly profile: Document
  readonly expiresAtMs: number | null
  readonly principal: Principal
}

const MOST_RECOGNISED = 1000

/** So many lookups a second of texts without a MAC may find no token: anybody can invent those. */
const INVENTED_PER_SECOND = 50

/** Turns the text of a user's token into the user, by two cached lookups; expiry is checked each time. */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  /** Only tokens that were accepted once: made-up ones can't push those out. The oldest goes first. */
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
    if (judged !== undefined && judged.token === token.value && judged.profile === profile.value) {
      return this.#isOver(judged.expiresAtMs) ? undefined : judged.principal
    }
    const principal = this.#judge(token, profile)
    if (principal !== undefined) recognised.judged = judgement(token, profile, principal)
    return principal
  }

  /**
   * The user, `undefined` when the token is unknown, revoked or expired, or its user gone or inactive.
   * @throws ServiceUnavailableError, DatabaseUnavailableError when nothing that is sure to be current can answer;
   * TooManyRequestsError for a text without a MAC while many are invented
   */
  async authenticate(text: string): Promise<Principal | undefined> {
    const claim = this.#options.tokens.read(text)
    if (claim === undefined) return undefined
    const { userId, isProven } = claim
    const recognised = this.#recognised.get(text)
    if (!isProven && recognised === undefined && this.#invented.isReached) throw new TooManyRequestsError()
    const hash = recognised?.hash ?? tokenHash(text)
    const token = await this.#options.tokens.find(claim, hash)
    if (token.value === undefined) {
      if (!isProven) this.#invented.count()
      return this.#judge(token, token)
    }
    const principal = this.#judge(token, await this.#options.users.get(userId))
    if (principal !== undefined) this.#remember(text, userId, hash)
    return principal
  }

  #remember(text: string, userId: string, hash: string): void {
    const [oldest] = this.#recognised.keys()
    if (oldest !== undefined && this.#recognised.size >= MOST_RECOGNISED) this.#recognised.delete(oldest)
    const [{ key: token }, { key: profile }] = [tokenEntry(userId, hash), profileEntry(userId)]
    this.#recognised.set(text, { hash, token, profile, judged: undefined })
  }

  #judge(token: Lookup<Document>, profile: Lookup<Document>): Principal | undefined {
    // A revocation may have been missed while nothing could be asked: such an answer never lets anybody in.
    if (token.outcome === 'stale-if-error' || profile.outcome === 'stale-if-error') throw new ServiceUnavailableError()
    if (token.value === undefined || profile.value === undefined) return undefined
    const { id: tokenId, expires_at_ms: expiresAtMs } = token.value.parse<KnownToken>()
    if (this.#isOver(expiresAtMs)) return undefined
    const { id, role, is_active: isActive } = profile.value.parse<User>()
    return isActive ? { id, tokenId, role, isAdmin: false, mayInspect: false, name: `user ${id}` } : undefined
  }

  #isOver(expiresAtMs: number | null): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#options.wallMs()
  }
}

function judgement(
  { value: token }: Lookup<Document>,
  { value: profile }: Lookup<Document>,
  principal: Principal,
): Judgement | undefined {
  if (token === undefined || profile === undefined) return undefined
  return { token, profile, expiresAtMs: token.parse<KnownToken>().expires_at_ms, principal }
}
