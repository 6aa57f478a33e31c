import type { CachedTable, Policy } from '../cache/index.js'
import { type EntryAddress, OwnedAddress, ownerTag, policy } from '../resource/addresses.js'

/** Lookups that prove who somebody is are never in Redis, where they could be forged. */
export const userPolicies = {
  users: { ...policy('users', 900), inRedis: false },
  tokens: { ...policy('tokens', 900), inRedis: false, mayServeOnError: 'undoubted' },
} as const satisfies Record<string, Policy>

/** Anybody can invent texts without a MAC: to remember that they are no tokens would push out what users read. */
const unprovenTokens: Policy = { ...userPolicies.tokens, negativeTtl: 0 }

/** Raised by every change of the user's own row. */
export function profileTag(userId: string): string {
  return `${userId}/profile`
}

/** Raised by every change of a token of the user, and of the user: whether they are active decides what a token opens. */
export function tokensTag(userId: string): string {
  return `${userId}/tokens`
}

export function profileEntry(userId: string): EntryAddress {
  const tag = profileTag(userId)
  return new OwnedAddress(userId, { key: tag, tag, policy: userPolicies.users, table: 'users' })
}

/** `tokenHash` is the SHA-256 of the token in hex; the token's own text never gets here. */
export function tokenEntry(userId: string, tokenHash: string, { isProven = true } = {}): EntryAddress {
  const tag = tokensTag(userId)
  const tokenPolicy = isProven ? userPolicies.tokens : unprovenTokens
  return new OwnedAddress(userId, { key: `${tag}/${tokenHash}`, tag, policy: tokenPolicy, table: 'tokens' })
}

/** The tables whose triggers raise these tags. */
export const userTables: readonly CachedTable[] = [
  {
    table: 'users',
    row: [profileTag('{id}'), tokensTag('{id}')],
    list: [],
    owner: ownerTag('{id}'),
    version: 'version',
    updatedAt: 'updated_at',
  },
  { table: 'tokens', row: [], list: tokensTag('{user_id}'), owner: ownerTag('{user_id}') },
]
