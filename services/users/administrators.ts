import { createHash, timingSafeEqual } from 'node:crypto'
import type { Principal } from './authenticator.js'

/** One item of ADMIN_TOKENS. */
export interface AdminToken {
  /** Who it is, for the log. */
  readonly name: string
  readonly token: string
  /** `read`: may look at statistics, health and entries of the cache, and at nothing else; `metrics`: at /metrics, and at nothing else. */
  readonly role: 'read' | 'metrics' | undefined
}

/** The administrators of ADMIN_TOKENS. They have no rows. */
export class Administrators {
  readonly #known: readonly { readonly digest: Buffer; readonly principal: Principal }[]

  constructor(tokens: readonly AdminToken[]) {
    this.#known = tokens.map(({ name, token, role }) => {
      const user = { id: undefined, tokenId: undefined, role: undefined, isStale: false }
      const rights = { isAdmin: role === undefined, mayInspect: role !== 'metrics' }
      return { digest: digestOf(token), principal: { ...user, name, ...rights } }
    })
  }

  /** Whose token it is; takes as long whoever it is. */
  find(text: string): Principal | undefined {
    const digest = digestOf(text)
    let found: Principal | undefined
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) found = known.principal
    return found
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
