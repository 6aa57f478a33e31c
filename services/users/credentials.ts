import { Batcher, type Lookup, systemClock } from '../cache/index.js'
import type { Document } from '../documents/document.js'
import type { ServiceDependencies } from '../resource/dependencies.js'
import { profileEntry, tokenEntry } from './addresses.js'
import type { UserService } from './service.js'
import { type Credential, findCredentials, type WantedCredential } from './token-repository.js'
import { tokenDocument, type TokenService } from './token-service.js'
import type { TokenClaim } from './token-text.js'

/** What the tiers or the database say of a token, and of the user whose it claims to be: the same lookup where there is no such token. */
export interface FoundCredentials {
  readonly token: Lookup<Document>
  readonly profile: Lookup<Document>
}

export interface CredentialDependencies extends Pick<ServiceDependencies, 'cache' | 'database'> {
  readonly users: Pick<UserService, 'get' | 'document'>
  readonly tokens: Pick<TokenService, 'find' | 'read'>
}

/** Tokens that one statement reads. */
const MOST_FOUND = 64

/** Looks up who asks. */
export class Credentials {
  readonly #dependencies: CredentialDependencies
  /** Lookups that come in one turn of the event loop share a statement, whoever asks. */
  readonly #finds: Batcher<WantedCredential, Credential>

  constructor(dependencies: CredentialDependencies) {
    this.#dependencies = dependencies
    const { endOfTurn } = systemClock
    const send = (wanted: readonly WantedCredential[]): Promise<Credential[]> =>
      findCredentials(dependencies.database, wanted)
    this.#finds = new Batcher({ send, endOfTurn, most: MOST_FOUND })
  }

  /** Whose token a text claims to be, by the text alone; `undefined` for what this service did not make. */
  read(text: string): TokenClaim | undefined {
    return this.#dependencies.tokens.read(text)
  }

  /** A token that this service made has a user, mostly: both are read by one statement. Anybody can invent one without a MAC. */
  async find(claim: TokenClaim, hash: string): Promise<FoundCredentials> {
    const [token, profile] = claim.isProven
      ? await this.#findBoth(claim.userId, hash)
      : [await this.#token(claim, hash)]
    if (token.value === undefined) return { token, profile: token }
    return { token, profile: profile ?? (await this.#dependencies.users.get(claim.userId)) }
  }

  #token(claim: TokenClaim, hash: string): Promise<Lookup<Document>> {
    return this.#dependencies.tokens.find(claim, hash)
  }

  async #findBoth(userId: string, hash: string): Promise<readonly [Lookup<Document>, Lookup<Document>]> {
    const entries = [tokenEntry(userId, hash), profileEntry(userId)] as const
    const reads = entries.map((entry) => ({ key: entry.key, options: entry }))
    const [token, profile] = await this.#dependencies.cache.getMany<Document>(reads, async (missing) => {
      const { token, user } = await this.#finds.ask({ userId, hash })
      const documents = [token && tokenDocument(token), user && this.#dependencies.users.document(user)]
      return missing.map((at) => documents[at])
    })
    if (token === undefined || profile === undefined) throw new Error('There is a lookup for each read')
    return [token, profile]
  }
}
