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

/** An entry whose key is its own tag: one document. A hit in memory needs the key alone, so tags are made when asked for. */
class DocumentAddress implements EntryAddress {
  #tags: readonly string[] | undefined

  constructor(
    readonly key: string,
    readonly policy: Policy,
    readonly userId: string,
  ) {}

  get tags(): readonly string[] {
    this.#tags ??= [this.key, tags.owner(this.userId)]
    return this.#tags
  }
}

/** A list: its key is the list tag and the canonical query (defaults filled in, keys sorted). */
function list(userId: string, tag: string, query: string, policy: Policy): EntryAddress {
  return { key: `${tag}?${query}`, tags: [tag, tags.owner(userId)], policy }
}

export function designEntry(userId: string, id: string): EntryAddress {
  return new DocumentAddress(tags.design(userId, id), policies.designs, userId)
}

export function designListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.designs(userId), query, policies.designLists)
}

export function templateEntry(userId: string, id: string): EntryAddress {
  return new DocumentAddress(tags.template(userId, id), policies.templates, userId)
}

export function templateListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.templates(userId), query, policies.templateLists)
}

export function mockupEntry(userId: string, id: string): EntryAddress {
  return new DocumentAddress(tags.mockup(userId, id), policies.mockups, userId)
}

export function mockupListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.mockups(userId), query, policies.mockupLists)
}

export function profileEntry(userId: string): EntryAddress {
  return new DocumentAddress(tags.profile(userId), policies.users, userId)
}

/** `tokenHash` is the SHA-256 of the token in hex; the token's own text never gets here. */
export function tokenEntry(userId: string, tokenHash: string): EntryAddress {
  const tag = tags.tokens(userId)
  return { key: `${tag}/${tokenHash}`, tags: [tag, tags.owner(userId)], policy: policies.tokens }
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
