import type { Policy } from './cache/index.js'
import type { Table } from './database/index.js'
import { resources } from './domains.js'
import { cachedTable, type EntryAddress, GRACE_MS, NEGATIVE_TTL_MS, ResourceAddresses } from './resource/addresses.js'
import { checked } from './resource/checked.js'
import { profileEntry, tokenEntry, userPolicies, userTables } from './users/addresses.js'

/** What is cached, as a whole: users, their tokens, and every resource of services/domains.ts. */
const addresses = new Map(resources.map((definition) => [definition.name, new ResourceAddresses(definition)]))

/** The domains of lookups that prove who somebody is: they answer nobody's question, and each request makes two. */
export const credentialDomains: ReadonlySet<string> = new Set(Object.values(userPolicies).map(({ domain }) => domain))

/** The tables whose triggers tell the cache, whoever changes a row. */
export const cachedTables: readonly Table[] = [...userTables, ...checked(resources).map(cachedTable)]

type Lifetimes = Record<'ttl' | 'grace' | 'negativeTtl', number>

/** The lifetimes of what names none (`CACHE_TTL_SECONDS`): of a resource without its own, for one. */
export function defaultLifetimes(ttlSeconds: number): Lifetimes {
  return { ttl: ttlSeconds * 1_000, grace: GRACE_MS, negativeTtl: NEGATIVE_TTL_MS }
}

/** The longest lifetime of any entry, in ms, `CACHE_TTL_SECONDS` included: the journal remembers that long. */
export function longestEntryLifetimeMs(defaultTtlSeconds: number): number {
  const defaults = defaultLifetimes(defaultTtlSeconds)
  const policies: readonly Policy[] = [
    defaults,
    ...Object.values(userPolicies),
    ...[...addresses.values()].flatMap(({ policies }) => Object.values(policies)),
  ]
  const lifetime = ({
    ttl = defaults.ttl,
    grace = defaults.grace,
    negativeTtl = defaults.negativeTtl,
  }: Policy): number => Math.max(ttl + grace, negativeTtl)
  return Math.max(...policies.map(lifetime))
}

const KEY =
  /^(?<owner>[^/]+)\/(?<domain>[a-z_]+)(?:\/by-external-id\/(?<externalId>.+)|\/(?<id>[^/?]+)|\?(?<query>.*))?$/s

/** The address of a key as it is shown by inspection and logs; `undefined` when nothing has such keys. */
export function entryOfKey(key: string): EntryAddress | undefined {
  const { owner, domain, externalId, id, query } = KEY.exec(key)?.groups ?? {}
  if (owner === undefined || domain === undefined) return undefined
  if (domain === 'profile' && id === undefined && query === undefined) return profileEntry(owner)
  if (domain === 'tokens' && id !== undefined) return tokenEntry(owner, id)
  const resource = addresses.get(domain)
  if (externalId !== undefined) return resource?.externalId(owner, externalId)
  if (id !== undefined) return resource?.document(owner, id)
  return query === undefined ? undefined : resource?.list(owner, query)
}
