import { type CachedTable, type EntryOptions, missingTag, type Policy } from './cache/index.js'
import { Document } from './documents/document.js'

/**
 * WHAT is cached: every key, tag and lifetime, and the tables whose triggers raise the tags, on this page alone.
 *
 * A document depends on its own tag, a list on its domain's list tag, and everything on its owner's tag (`all`): that one
 * clears a user, and stands for the others where a statement changed many rows.
 */

const GRACE_MS = 60_000
const NEGATIVE_TTL_MS = 30_000

type DomainPolicy = Required<Policy>

function policy(domain: string, ttlSeconds: number): DomainPolicy {
  const lifetimes = { ttl: ttlSeconds * 1_000, grace: GRACE_MS, negativeTtl: NEGATIVE_TTL_MS }
  return { domain, ...lifetimes, mayServeOnError: true, inRedis: true }
}

export const policies = {
  designs: policy('designs', 600),
  designLists: policy('design_lists', 300),
  templates: policy('templates', 1_800),
  templateLists: policy('template_lists', 600),
  mockups: policy('mockups', 600),
  mockupLists: policy('mockup_lists', 300),
  // What proves who somebody is: never in Redis, where it could be forged.
  users: { ...policy('users', 900), inRedis: false },
  tokens: { ...policy('tokens', 900), inRedis: false, mayServeOnError: false },
} as const

/** The lifetimes of what names none (`CACHE_TTL_SECONDS`): of a domain of your own, for one. */
export function defaultLifetimes(ttlSeconds: number): Required<Pick<Policy, 'ttl' | 'grace' | 'negativeTtl'>> {
  return { ttl: ttlSeconds * 1_000, grace: GRACE_MS, negativeTtl: NEGATIVE_TTL_MS }
}

/** The longest lifetime of any entry, in ms, `CACHE_TTL_SECONDS` included: the journal remembers that long. */
export function longestEntryLifetimeMs(defaultTtlSeconds: number): number {
  const all = [...Object.values(policies), defaultLifetimes(defaultTtlSeconds)]
  return Math.max(...all.map(({ ttl, grace, negativeTtl }) => Math.max(ttl + grace, negativeTtl)))
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

/** The tables whose triggers raise these tags, whoever changes a row. */
export const cachedTables: readonly CachedTable[] = [
  {
    table: 'users',
    row: ['{id}/profile', '{id}/tokens'],
    list: [],
    owner: '{id}/all',
    version: 'version',
    updatedAt: 'updated_at',
  },
  { table: 'tokens', row: [], list: '{user_id}/tokens', owner: '{user_id}/all' },
  ownedTable('templates'),
  ownedTable('designs'),
  ownedTable('mockups'),
]

function ownedTable(table: string): CachedTable {
  return {
    table,
    row: `{user_id}/${table}/{id}`,
    list: `{user_id}/${table}`,
    owner: '{user_id}/all',
    version: 'version',
    updatedAt: 'updated_at',
  }
}

/** An entry: its key, and what depends on its owner's tag and on tags of its own. */
export interface EntryAddress extends EntryOptions {
  readonly key: string
}

/** A hit in memory needs the key alone: tags are made when asked for. */
class OwnedAddress implements EntryAddress {
  readonly key: string
  readonly #policy: DomainPolicy
  readonly #userId: string
  readonly #tag: string
  readonly #table: string | undefined
  #tags: readonly string[] | undefined

  constructor(userId: string, entry: { key: string; tag: string; policy: DomainPolicy; table?: string }) {
    this.#userId = userId
    this.key = entry.key
    this.#tag = entry.tag
    this.#policy = entry.policy
    this.#table = entry.table
  }

  get tags(): readonly string[] {
    this.#tags ??= [this.#tag, tags.owner(this.#userId)]
    return this.#tags
  }

  /** The rows that a document refers to. A missing row is also raised by what inserts many rows at once, of whatever owner. */
  readonly tagsOf = (value: unknown): readonly string[] => {
    if (value instanceof Document) return value.refersTo
    return this.#table === undefined ? [] : [missingTag(this.#table)]
  }

  get domain(): string {
    return this.#policy.domain
  }

  get ttl(): number {
    return this.#policy.ttl
  }

  get grace(): number {
    return this.#policy.grace
  }

  get negativeTtl(): number {
    return this.#policy.negativeTtl
  }

  get mayServeOnError(): boolean {
    return this.#policy.mayServeOnError
  }

  get inRedis(): boolean {
    return this.#policy.inRedis
  }
}

/** One document: its key is its own tag. */
function document(userId: string, tag: string, policy: DomainPolicy, table: string): EntryAddress {
  return new OwnedAddress(userId, { key: tag, tag, policy, table })
}

/** A list: its key is the list tag and the canonical query (defaults filled in, keys sorted). */
function list(userId: string, tag: string, query: string, policy: DomainPolicy): EntryAddress {
  return new OwnedAddress(userId, { key: `${tag}?${query}`, tag, policy })
}

export function designEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.design(userId, id), policies.designs, 'designs')
}

export function designListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.designs(userId), query, policies.designLists)
}

export function templateEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.template(userId, id), policies.templates, 'templates')
}

export function templateListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.templates(userId), query, policies.templateLists)
}

export function mockupEntry(userId: string, id: string): EntryAddress {
  return document(userId, tags.mockup(userId, id), policies.mockups, 'mockups')
}

export function mockupListEntry(userId: string, query: string): EntryAddress {
  return list(userId, tags.mockups(userId), query, policies.mockupLists)
}

export function profileEntry(userId: string): EntryAddress {
  return document(userId, tags.profile(userId), policies.users, 'users')
}

/** `tokenHash` is the SHA-256 of the token in hex; the token's own text never gets here. */
export function tokenEntry(userId: string, tokenHash: string): EntryAddress {
  const tag = tags.tokens(userId)
  return new OwnedAddress(userId, { key: `${tag}/${tokenHash}`, tag, policy: policies.tokens, table: 'tokens' })
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
