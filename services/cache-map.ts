import { type EntryAddress, longestLifetimeMs, type Policy } from './cache/index.js'

/**
 * WHAT is cached: every key, tag and lifetime, on this page alone.
 *
 * Every key and tag begins with its owner, the user's id. A document depends on its own tag, a list on its domain's
 * list tag, and everything on the owner's own tag (`all`), which clears a user in one version.
 */

const GRACE_MS = 60_000
const NEGATIVE_TTL_MS = 30_000

function policy(domain: string, ttlSeconds: number, mayServeOnError = true): Policy {
  return { domain, ttlMs: ttlSeconds * 1_000, graceMs: GRACE_MS, negativeTtlMs: NEGATIVE_TTL_MS, mayServeOnError }
}

export const policies = {
  designs: policy('designs', 600),
  designLists: policy('design_lists', 300),
  templates: policy('templates', 1_800),
  templateLists: policy('template_lists', 600),
  mockups: policy('mockups', 600),
  mockupLists: policy('mockup_lists', 300),
  users: policy('users', 900),
  tokens: policy('tokens', 900, false),
} as const

/** For a domain of your own that has no lifetime of its own yet (`CACHE_TTL_SECONDS`). */
export function defaultPolicy(domain: string, ttlSeconds: number): Policy {
  return policy(domain, ttlSeconds)
}

/** The longest lifetime of any entry, in ms, `CACHE_TTL_SECONDS` included: resync and tag keys look that far. */
export function longestEntryLifetimeMs(defaultTtlSeconds: number): number {
  return Math.max(...[...Object.values(policies), defaultPolicy('default', defaultTtlSeconds)].map(longestLifetimeMs))
}

/** Names of what a write changes. */
export const tags = {
  owner: (userId: string): string => `${userId}/all`,
  profile: (userId: string): string => `${userId}/profile`,
  tokens: (userId: string): string => `${userId}/tokens`,
  designs: (userId: string): string => `${userId}/designs`,
  design: (userId: string, id: string): string => `${userId}/designs/${id}`,
  templates: (userId: string): string => `${userId}/templates`,
  template: (userId: string, id: string): string => `${userId}/templates/${id}`,
  mockups: (userId: string): string => `${userId}/mockups`,
  mockup: (userId: string, id: string): string => `${userId}/mockups/${id}`,
} as const

/** What depends on a tag of its own and on its owner. A hit in memory needs the key alone: tags are made when asked for. */
class OwnedAddress implements EntryAddress {
  readonly key: string
  readonly policy: Policy
  readonly #userId: string
  readonly #tag: string
  #tags: readonly string[] | undefined

  constructor(userId: string, entry: { readonly key: string; readonly tag: string; readonly policy: Policy }) {
    this.#userId = userId
    this.key = entry.key
    this.#tag = entry.tag
    this.policy = entry.policy
  }

  get tags(): readonly string[] {
    this.#tags ??= [this.#tag, tags.owner(this.#userId)]
    return this.#tags
  }
}

/** One document: its key is its own tag. */
function document(userId: string, tag: string, policy: Policy): EntryAddress {
  return new OwnedAddress(userId, { key: tag, tag, policy })
}

/** A list: its key is the list tag and the canonical query (defaults filled in, keys sorted). */
function list(userId: string, tag: string, query: string, policy: Policy): EntryAddress {
  return new OwnedAddress(userId, { key: `${tag}?${query}`, tag, policy })
}

export function designEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.design(userId, id), policies.designs)
}

export function designListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.designs(userId), query, policies.designLists)
}

export function templateEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.template(userId, id), policies.templates)
}

export function templateListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.templates(userId), query, policies.templateLists)
}

export function mockupEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.mockup(userId, id), policies.mockups)
}

export function mockupListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.mockups(userId), query, policies.mockupLists)
}

export function profileEntry(userId: string): EntryAddress {
  return document(userId, tags.profile(userId), policies.users)
}

/** `tokenHash` is the SHA-256 of the token in hex; the token's own text never gets here. */
export function tokenEntry(userId: string, tokenHash: string): EntryAddress {
  const tag = tags.tokens(userId)
  return new OwnedAddress(userId, { key: `${tag}/${tokenHash}`, tag, policy: policies.tokens })
}

const DOCUMENT_ENTRIES: Record<string, (userId: string, id: string) => EntryAddress> = {
  designs: designEntry,
  templates: templateEntry,
  mockups: mockupEntry,
  tokens: tokenEntry,
}

const LIST_ENTRIES: Record<string, (userId: string, query: string) => EntryAddress> = {
  designs: designListEntry,
  templates: templateListEntry,
  mockups: mockupListEntry,
}

const KEY = /^(?<owner>[^/]+)\/(?<domain>[a-z]+)(?:\/(?<id>[^/?]+)|\?(?<query>.*))?$/

/** The address of a key as it is shown by inspection and logs; `undefined` when no domain has such keys. */
export function entryOfKey(key: string): EntryAddress | undefined {
  const { owner, domain, id, query } = KEY.exec(key)?.groups ?? {}
  if (owner === undefined || domain === undefined) return undefined
  if (domain === 'profile' && id === undefined && query === undefined) return profileEntry(owner)
  if (id !== undefined) return DOCUMENT_ENTRIES[domain]?.(owner, id)
  return query === undefined ? undefined : LIST_ENTRIES[domain]?.(owner, query)
}
