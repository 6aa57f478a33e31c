import type { Lookup } from '../cache/index.js'
import { pageDocument, type Serialize, serializerOf } from '../documents/row-document.js'
import { textEtag } from '../documents/etag.js'
import { ownersWhenRefused, ownerTag } from '../resource/addresses.js'
import type { ServiceDependencies } from '../resource/service.js'
import { cutPage, pageOf } from '../resource/lists/list-query.js'
import type { Written } from '../resource/sql/rows.js'
import { isForeignKeyViolation } from '../database/errors.js'
import { Document } from '../documents/document.js'
import { InvalidRequestError, NotFoundError, UnauthorizedError } from '../errors.js'
import { tokenEntry, tokensTag } from './addresses.js'
import { findUser } from './repository.js'
import { type IssuedToken, type NewToken, type PageQuery, Token } from './schema.js'
import { deleteToken, findToken, insertToken, listTokens } from './token-repository.js'
import { SECRET_BYTES, type TokenClaim, tokenHash, type TokenTexts } from './token-text.js'

/** What the services of tokens need besides what all services need. */
export interface TokenDependencies extends ServiceDependencies {
  /** Cryptographically random bytes. */
  readonly randomBytes: (size: number) => Uint8Array
  readonly tokenTexts: TokenTexts
  /** Wall-clock milliseconds since 1970: expiry is a date. */
  readonly wallMs: () => number
}

/** What a cached token lookup holds. */
export interface KnownToken {
  readonly id: string
  /** Milliseconds since 1970; null never expires. */
  readonly expires_at_ms: number | null
}

/** Tokens of users: made, listed, revoked and looked up by their hash. Their text is never stored. */
export class TokenService {
  readonly #dependencies: TokenDependencies
  readonly #serialize: Serialize<object> = serializerOf(Token)

  constructor(dependencies: TokenDependencies) {
    this.#dependencies = dependencies
  }

  /**
   * One page of a user's tokens, newest first.
   * @throws NotFoundError when there is no such user, InvalidCursorError
   */
  async list(user: string, query: PageQuery): Promise<Document> {
    const userId = user.toLowerCase()
    const list = tokensTag(userId)
    const { limit, after } = pageOf(list, query)
    const tokens = await listTokens(this.#dependencies.database, userId, after, limit + 1)
    if (tokens.length === 0) await this.#requireUser(userId)
    const [page, nextCursor] = cutPage(tokens, limit, list)
    return pageDocument(page.map(this.#serialize), nextCursor)
  }

  /**
   * Makes a token; only here is its text ever to be seen.
   * @param parentId the token that asks for it, which it does not outlive: it expires with it at the latest, and is revoked with it;
   * `undefined` for an administrator
   * @throws NotFoundError when there is no such user, UnauthorizedError when the parent is gone, InvalidRequestError for an expiry
   * that is over
   */
  async create(
    user: string,
    { name, expires_at: expiry }: NewToken,
    parentId?: string,
  ): Promise<{ readonly issued: IssuedToken; readonly version: string }> {
    const userId = user.toLowerCase()
    const { database, cache, randomBytes, tokenTexts, versionOf } = this.#dependencies
    const token = tokenTexts.make(userId, randomBytes(SECRET_BYTES))
    const row = { userId, name, hash: tokenHash(token), expiresAt: this.#expiresAt(expiry), parentId }
    const work = async (): Promise<Written<Token>> => {
      const inserted = await insertToken(database, row)
      if (inserted === undefined) throw new UnauthorizedError()
      return inserted
    }
    try {
      const saved = await cache.write([tokensTag(userId)], work, { refusedBy: ownersWhenRefused(userId) })
      return { issued: { ...saved.row, token }, version: versionOf(saved.transaction) }
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error
      throw parentId === undefined ? new NotFoundError('user') : new UnauthorizedError()
    }
  }

  /**
   * Revokes a token and all that was made with it. Once it resolves, they are refused here.
   * @returns the write's version token
   * @throws NotFoundError
   */
  async delete(user: string, id: string): Promise<string> {
    const userId = user.toLowerCase()
    const { database, cache, versionOf } = this.#dependencies
    const work = async (): Promise<number> => {
      const transaction = await deleteToken(database, userId, id)
      if (transaction === undefined) throw new NotFoundError('token')
      return transaction
    }
    return versionOf(await cache.write([tokensTag(userId)], work, { refusedBy: ownersWhenRefused(userId) }))
  }

  /** Whose token a text claims to be, by the text alone; `undefined` for what this service did not make. */
  read(text: string): TokenClaim | undefined {
    return this.#dependencies.tokenTexts.read(text)
  }

  /** The token of this claim with this hash: its document holds a {@link KnownToken}. */
  find({ userId, isProven }: TokenClaim, hash: string): Promise<Lookup<Document>> {
    const entry = tokenEntry(userId, hash, { isProven })
    return this.#dependencies.cache.getOrLoad<Document>(entry.key, entry, async () => {
      const token = await findToken(this.#dependencies.database, userId, hash)
      return token && tokenDocument(token)
    })
  }

  #expiresAt(expiry: NewToken['expires_at']): string | null {
    if (typeof expiry !== 'string') return null
    const expiresAt = new Date(expiry)
    if (expiresAt.getTime() <= this.#dependencies.wallMs()) {
      throw new InvalidRequestError('body: expires_at is over: name an instant in the future, or leave it out')
    }
    return expiresAt.toISOString()
  }

  async #requireUser(userId: string): Promise<void> {
    const { database, cache } = this.#dependencies
    if ((await findUser(database, userId)) !== undefined) return
    cache.doubt([ownerTag(userId)])
    throw new NotFoundError('user')
  }
}

/** What is cached of a token: a {@link KnownToken}. */
export function tokenDocument({ id, expires_at: expiry }: Pick<Token, 'id' | 'expires_at'>): Document {
  const known: KnownToken = { id, expires_at_ms: expiry === null ? null : Date.parse(expiry) }
  const json = JSON.stringify(known)
  return new Document(json, textEtag(json))
}
