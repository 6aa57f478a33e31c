import type { Loader, Lookup } from '../cache/index.js'
import { Document } from '../documents/document.js'
import { textEtag } from '../documents/etag.js'
import { externalIdTag, listName, rowTag } from './addresses.js'
import type { ResourceDefinition, ResourceSchemas } from './definition.js'
import type { ServiceDependencies } from './dependencies.js'
import { type ListQuery, type Selection, selectionOf } from './lists/list-query.js'
import { pageByIds } from './lists/page-by-ids.js'
import { Pages } from './lists/pages.js'
import { Resource } from './resource.js'

/** How often a read by external_id begins anew while rows change under it. */
const MOST_ATTEMPTS = 3

/** What is kept under an external_id. A row's document has these fields too. */
interface Which {
  readonly id: string
  readonly external_id: string | null
}

/**
 * The read path of one resource, through the cache. Ids may come in any letter case; a row of another user is no row. Everything
 * throws DatabaseUnavailableError when neither the cache nor the database can answer.
 */
export class ResourceReads<Schemas extends ResourceSchemas = ResourceSchemas> {
  protected readonly resource: Resource<Schemas>
  readonly #pages: Pages

  /** @throws Error when the definition contradicts itself or the others of `dependencies.resources` */
  constructor(dependencies: ServiceDependencies, definition: ResourceDefinition<Schemas>) {
    this.resource = new Resource(dependencies, definition)
    this.#pages = new Pages(this.resource)
  }

  get definition(): ResourceDefinition<Schemas> {
    return this.resource.definition
  }

  /** What an error calls one row: `design`. */
  get kind(): string {
    return this.resource.definition.kind
  }

  /**
   * The row when memory holds it fresh; never waits and never reads the database. `id` may be any text: what is no id in
   * lower case has no entry.
   */
  peek(userId: string, id: string): Lookup<Document> | undefined {
    const { cache } = this.resource.dependencies
    const { key } = this.resource.addresses.document(userId, id)
    const hit = cache.peek<Document>(key)
    if (hit !== undefined && cache.isToBeVerified())
      cache.verify(key, this.resource.entry(userId, id), this.#load(userId, id))
    return hit
  }

  /** The row; a lookup without a document when the user has no such row. */
  get(userId: string, id: string): Promise<Lookup<Document>> {
    const entry = this.resource.entry(userId, id)
    return this.resource.dependencies.cache.getOrLoad<Document>(entry.key, entry, this.#load(userId, id))
  }

  #load(userId: string, id: string): Loader<Document> {
    return async () => {
      const row = await this.resource.find(userId, id)
      return row && this.resource.document(row)
    }
  }

  /** {@link ResourceService.peek} by the caller's own key. Both entries are judged at one moment, so they belong together. */
  peekByExternalId(userId: string, externalId: string): Lookup<Document> | undefined {
    const found = this.resource.dependencies.cache.peek<Document>(
      this.resource.addresses.externalId(userId, externalId).key,
    )
    return found?.value === undefined ? found : this.peek(userId, found.value.parse<Which>().id)
  }

  /** The row that has this external_id. It is kept once, under its id; under its external_id is kept which row that is. */
  async getByExternalId(userId: string, externalId: string): Promise<Lookup<Document>> {
    for (let attempt = 1; ; attempt += 1) {
      const which = await this.#which(userId, externalId)
      if (which.value === undefined) return which
      const found = await this.get(userId, which.value.parse<Which>().id)
      const isStill = found.value?.parse<Which>().external_id === externalId
      // One that was loaded now is in memory already, but no cache had it when it was asked for.
      if (isStill || attempt === MOST_ATTEMPTS)
        return which.outcome === 'hit' ? found : { ...which, value: found.value }
      // The row is newer than what said that it is the one.
      this.resource.dependencies.cache.doubt([externalIdTag(this.resource.definition.name, userId, externalId)])
    }
  }

  /** Which row has this external_id; what is read for it is kept under its id as well. */
  #which(userId: string, externalId: string): Promise<Lookup<Document>> {
    const { cache, database } = this.resource.dependencies
    const entry = this.resource.addresses.externalId(userId, externalId)
    return cache.getOrLoad<Document>(entry.key, entry, async () => {
      const begun = cache.begin()
      const row = await this.resource.rows.findByExternalId(database.ofUser(userId), userId, externalId)
      if (row === undefined) return undefined
      const own = this.resource.entry(userId, row.id)
      cache.set(own.key, own, this.resource.document(row), begun)
      const json = JSON.stringify({ id: row.id, external_id: row.external_id })
      return new Document(json, textEtag(json), [rowTag(this.resource.definition.name, userId, row.id)])
    })
  }

  /**
   * One page when memory holds it fresh.
   * @throws InvalidCursorError
   */
  peekList(userId: string, query: ListQuery): Lookup<Document> | undefined {
    return this.#pages.peek(userId, this.#selection(userId, query))
  }

  /**
   * One page, newest first unless the query says otherwise.
   * @throws InvalidCursorError
   */
  async list(userId: string, query: ListQuery): Promise<Lookup<Document>> {
    return this.#pages.read(userId, this.#selection(userId, query))
  }

  /**
   * One page of the rows `ids`, from their single documents, in that order; each once, without those the user does not have.
   * @throws InvalidCursorError when the cursor is not from the page before, of the same ids
   */
  getMany(userId: string, ids: readonly string[], cursor?: string): Promise<Lookup<Document>> {
    const list = listName(this.resource.definition.name, userId)
    return pageByIds({ list, ids, cursor }, (wanted) => this.resource.documents(userId, wanted))
  }

  /**
   * The key of the entry that says which rows a page has.
   * @throws InvalidCursorError
   */
  listKey(userId: string, query: ListQuery): string {
    return this.resource.addresses.list(userId, this.#selection(userId, query).canonical).key
  }

  /** Whose row it is, whoever asks; `undefined` when there is none. Reads the database. */
  ownerOf(id: string): Promise<string | undefined> {
    return this.resource.rows.ownerOf(this.resource.dependencies.database, id)
  }

  #selection(userId: string, query: ListQuery): Selection {
    return selectionOf(listName(this.resource.definition.name, userId), this.resource.lists, query)
  }
}
