import { type CachedTable, type EntryOptions, missingTag, type Policy } from '../cache/index.js'
import { DatabaseUnavailableError } from '../database/errors.js'
import { Document } from '../documents/document.js'
import type { ResourceDefinition } from './definition.js'
import { type Deciding, DecidingColumns } from './lists/deciding-columns.js'
import { type ListIndex, listIndexesOf } from './lists/indexes.js'

/*
 * Every key and tag of the cache. A document depends on its own tag, a list on its resource's list tag and on those of the columns that it is
 * narrowed or sorted by, and everything on its owner's tag: that one clears a user, and stands for the others where a statement changed many rows.
 */

/** How long a stale entry may be served while one refresh runs, in ms. */
export const GRACE_MS = 60_000
/** How long "no such row" is kept, in ms. */
export const NEGATIVE_TTL_MS = 30_000

const NAME = /^[a-z][a-z_]*$/
/** The last parts of the tags that everything of a user, their profile and their tokens carry, and a table and route of the service's own. */
const RESERVED = ['all', 'profile', 'tokens', 'changes']

/** What everything of a user carries. */
export function ownerTag(userId: string): string {
  return `${userId}/all`
}

/**
 * For `refusedBy` of a write. A refusal is about whatever the statement met: the row, one that it refers to, one that refers to it, or
 * the user. All of these carry the owner's tag. A database that did not answer has refused nothing.
 */
export function ownersWhenRefused(userId: string): (error: unknown) => readonly string[] {
  return (error) => (error instanceof DatabaseUnavailableError ? [] : [ownerTag(userId)])
}

/** The tag of one row, which is also the key of its document. */
export function rowTag(resource: string, userId: string, id: string): string {
  return `${userId}/${resource}/${id}`
}

/** What the keys of a user's lists of a resource begin with, and what their cursors are made for. */
export function listName(resource: string, userId: string): string {
  return `${userId}/${resource}`
}

/**
 * Raised when one of a user's rows of a resource comes or goes. All lists carry it. (Not {@link listName}: that was raised by every change as long as
 * lists were copies of their rows, and the triggers of such a release stay for a while.)
 */
export function listTag(resource: string, userId: string): string {
  return `${listName(resource, userId)}/rows`
}

/** Raised when a row gets another value in this column: for the lists that it decides about. */
export function columnTag(resource: string, userId: string, column: string): string {
  return `${listName(resource, userId)}/by/${column}`
}

/** Raised by every change of a row that has this external_id, or had it: of whatever says which row that is. */
export function externalIdTag(resource: string, userId: string, externalId: string): string {
  return `${listName(resource, userId)}/by-external-id/${externalId}`
}

/** A lifetime in seconds as a policy; without one it is left to the cache's defaults. */
export function policy(domain: string, ttlSeconds: number | undefined): Policy & { readonly domain: string } {
  const ttl = ttlSeconds === undefined ? undefined : ttlSeconds * 1_000
  return { domain, ttl, grace: GRACE_MS, negativeTtl: NEGATIVE_TTL_MS, mayServeOnError: true, inRedis: true }
}

/** An entry: its key, and what depends on its owner's tag and on tags of its own. */
export interface EntryAddress extends EntryOptions {
  readonly key: string
}

/** The address of a user's entry. A hit in memory needs the key alone: tags are made when asked for. */
export class OwnedAddress implements EntryAddress {
  readonly key: string
  readonly #policy: Policy
  readonly #userId: string
  readonly #tag: string
  readonly #moreTags: () => readonly string[]
  readonly #table: string | undefined
  #tags: readonly string[] | undefined

  /** @param entry `table`: where the row would be, for an entry that may say "no such row" */
  constructor(
    userId: string,
    entry: { key: string; tag: string; moreTags?: () => readonly string[]; policy: Policy; table?: string },
  ) {
    this.#userId = userId
    this.key = entry.key
    this.#tag = entry.tag
    this.#moreTags = entry.moreTags ?? (() => [])
    this.#policy = entry.policy
    this.#table = entry.table
  }

  get tags(): readonly string[] {
    this.#tags ??= [this.#tag, ownerTag(this.#userId), ...this.#moreTags()]
    return this.#tags
  }

  /** The rows that a document refers to. A missing row is also raised by what inserts many rows at once, of whatever owner. */
  readonly tagsOf = (value: unknown): readonly string[] => {
    if (value instanceof Document) return value.refersTo
    return this.#table === undefined ? [] : [missingTag(this.#table)]
  }

  get domain(): string | undefined {
    return this.#policy.domain
  }

  get ttl(): number | undefined {
    return this.#policy.ttl
  }

  get grace(): number | undefined {
    return this.#policy.grace
  }

  get negativeTtl(): number | undefined {
    return this.#policy.negativeTtl
  }

  get mayServeOnError(): Policy['mayServeOnError'] {
    return this.#policy.mayServeOnError
  }

  get inRedis(): boolean | undefined {
    return this.#policy.inRedis
  }
}

/** The entries of one resource. */
export class ResourceAddresses {
  readonly policies: { readonly document: Policy; readonly list: Policy; readonly externalId: Policy }
  readonly #name: string
  readonly #deciding: DecidingColumns

  /** @throws Error for a name whose keys and tags would be those of something else, or that no URL and no SQL takes as it is */
  constructor(definition: Pick<ResourceDefinition, 'name' | 'kind' | 'lifetimes'> & Partial<Deciding>) {
    const { name, kind, lifetimes } = definition
    if (!NAME.test(name) || RESERVED.includes(name)) throw new Error(`A resource can not be called ${name}`)
    this.#name = name
    this.#deciding = new DecidingColumns(definition)
    this.policies = {
      document: policy(name, lifetimes?.document),
      list: policy(`${kind}_lists`, lifetimes?.list),
      externalId: policy(`${kind}_external_ids`, lifetimes?.document),
    }
  }

  /** One document: its key is its own tag. */
  document(userId: string, id: string): EntryAddress {
    const tag = rowTag(this.#name, userId, id)
    return new OwnedAddress(userId, { key: tag, tag, policy: this.policies.document, table: this.#name })
  }

  /** Which rows a page of a list has: its key is the list's name and the canonical query (defaults filled in, keys sorted). */
  list(userId: string, query: string): EntryAddress {
    return new OwnedAddress(userId, {
      key: `${listName(this.#name, userId)}?${query}`,
      tag: listTag(this.#name, userId),
      moreTags: () => this.#deciding.ofQuery(query).map((column) => columnTag(this.#name, userId, column)),
      policy: this.policies.list,
    })
  }

  /** The key of the same page as it is answered, put together from its documents: memory alone has that. */
  pageKey(userId: string, query: string): string {
    return `${listName(this.#name, userId)}?${query}#page`
  }

  /** Which row has an external_id: its key is its own tag. */
  externalId(userId: string, externalId: string): EntryAddress {
    const tag = externalIdTag(this.#name, userId, externalId)
    return new OwnedAddress(userId, { key: tag, tag, policy: this.policies.externalId, table: this.#name })
  }
}

/** The table of a resource: its triggers raise these tags whoever changes a row, and its indexes are those of its lists. */
export function cachedTable(definition: ResourceDefinition): CachedTable & { readonly indexes: readonly ListIndex[] } {
  const { name } = definition
  const deciding = new DecidingColumns(definition).all
  return {
    indexes: listIndexesOf(definition),
    table: name,
    row: [rowTag(name, '{user_id}', '{id}'), externalIdTag(name, '{user_id}', '{external_id}')],
    list: listTag(name, '{user_id}'),
    // A row whose owner changes comes to one user's lists and goes from another's. Lists are sorted by id, and another id is another row.
    listColumns: ['user_id'],
    byColumn: Object.fromEntries(deciding.map((column) => [column, columnTag(name, '{user_id}', column)])),
    owner: ownerTag('{user_id}'),
    version: 'version',
    updatedAt: 'updated_at',
  }
}
