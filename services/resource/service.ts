import type { Static } from '@sinclair/typebox'
import { type Lookup, missingTag, type WriteOptions } from '../cache/index.js'
import { Document } from '../documents/document.js'
import { pageInTurn, rowDocument, type Serialize } from '../documents/row-document.js'
import { textEtag } from '../documents/etag.js'
import {
  type EntryAddress,
  externalIdTag,
  listTag,
  ownersWhenRefused,
  ownerTag,
  ResourceAddresses,
  rowTag,
} from './addresses.js'
import { columnValues, type ColumnValues } from './columns.js'
import { Condition, type Preconditions, splitChange } from './condition.js'
import type { ResourceDefinition, ResourceSchemas } from './definition.js'
import { digestOf, savedOnce } from './idempotency.js'
import type { Saved, ServiceDependencies } from './dependencies.js'
import { type Dependent, dependentsOf } from './dependents.js'
import { type Filters, filtersOf, type ListQuery, type Selection, selectionOf } from './list-query.js'
import { type BulkOutcome, insertMissing } from './missing-rows.js'
import { pageByIds } from './page-by-ids.js'
import { type Reference, referencesOf, tagsOfReferences } from './references.js'
import { commonFields, type ResourceRow } from './row.js'
import { rowSerializerOf } from './row-json.js'
import { type AllowedVersions, ResourceRows, type Written } from './rows.js'
import { ofTheService } from './schema.js'
import { ResourceWriter } from './writer.js'

export type { Saved, ServiceDependencies }

/** How often a read by external_id begins anew while rows change under it. */
const MOST_ATTEMPTS = 3

/** What is kept under an external_id. A row's document has these fields too. */
interface Which {
  readonly id: string
  readonly external_id: string | null
}

/** For {@link TieredCache.write}. */
export const isChanged = (write: Written<unknown>): boolean => write.isChanged

/** What every row has and no caller writes. */
const READ_ONLY = Object.keys(ofTheService)

type Body<Schemas extends ResourceSchemas> = Static<Schemas['creation']>
type Change<Schemas extends ResourceSchemas> = Static<Schemas['change']>

/**
 * The read and the write path of one resource. Reads go through the cache. A write commits its rows and, by their triggers, its
 * invalidation together; once it resolves, this replica no longer answers with anything older.
 *
 * Ids may come in any letter case; a row of another user is no row. Everything throws DatabaseUnavailableError when
 * neither the cache nor the database can answer.
 */
export class ResourceService<Schemas extends ResourceSchemas = ResourceSchemas> {
  readonly #dependencies: ServiceDependencies
  readonly #definition: ResourceDefinition<Schemas>
  readonly #addresses: ResourceAddresses
  readonly #filters: Filters
  readonly #references: readonly Reference[]
  readonly #dependents: readonly Dependent[]
  readonly #serialize: Serialize<ResourceRow>
  readonly #rows: ResourceRows
  readonly #writer: ResourceWriter

  /** @throws Error when the definition contradicts itself or the others of `dependencies.resources` */
  constructor(dependencies: ServiceDependencies, definition: ResourceDefinition<Schemas>) {
    const { database, resources } = dependencies
    this.#dependencies = dependencies
    this.#definition = definition
    this.#addresses = new ResourceAddresses(definition)
    this.#filters = filtersOf(definition)
    this.#references = referencesOf(definition, resources)
    this.#dependents = dependentsOf(definition, resources)
    this.#serialize = rowSerializerOf(definition)
    this.#rows = new ResourceRows(definition, database.kind)
    const [rows, references, dependents] = [this.#rows, this.#references, this.#dependents]
    this.#writer = new ResourceWriter({ database, rows, definition, references, dependents })
  }

  /** What an error calls one row: `design`. */
  get kind(): string {
    return this.#definition.kind
  }

  /**
   * The row when memory holds it fresh; never waits and never reads the database. `id` may be any text: what is no id in
   * lower case has no entry.
   */
  peek(userId: string, id: string): Lookup<Document> | undefined {
    return this.#dependencies.cache.peek(this.#addresses.document(userId, id).key)
  }

  /** The row; a lookup without a document when the user has no such row. */
  get(userId: string, id: string): Promise<Lookup<Document>> {
    const entry = this.#entry(userId, id)
    return this.#dependencies.cache.getOrLoad<Document>(entry.key, entry, async () => {
      const row = await this.#rows.find(this.#dependencies.database, userId, id)
      return row && this.#document(row)
    })
  }

  /** {@link ResourceService.peek} by the caller's own key. Both entries are judged at one moment, so they belong together. */
  peekByExternalId(userId: string, externalId: string): Lookup<Document> | undefined {
    const found = this.#dependencies.cache.peek<Document>(this.#addresses.externalId(userId, externalId).key)
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
      this.#dependencies.cache.doubt([externalIdTag(this.#definition.name, userId, externalId)])
    }
  }

  /** Which row has this external_id; what is read for it is kept under its id as well. */
  #which(userId: string, externalId: string): Promise<Lookup<Document>> {
    const { cache, database } = this.#dependencies
    const entry = this.#addresses.externalId(userId, externalId)
    return cache.getOrLoad<Document>(entry.key, entry, async () => {
      const begun = cache.begin()
      const row = await this.#rows.findByExternalId(database, userId, externalId)
      if (row === undefined) return undefined
      const own = this.#entry(userId, row.id)
      cache.set(own.key, own, this.#document(row), begun)
      const json = JSON.stringify({ id: row.id, external_id: row.external_id })
      return new Document(json, textEtag(json), [rowTag(this.#definition.name, userId, row.id)])
    })
  }

  /**
   * One page when memory holds it fresh.
   * @throws InvalidCursorError
   */
  peekList(userId: string, query: ListQuery): Lookup<Document> | undefined {
    const { canonical } = this.#selection(userId, query)
    return this.#dependencies.cache.peek(this.#addresses.list(userId, canonical).key)
  }

  /**
   * One page, newest first.
   * @throws InvalidCursorError
   */
  async list(userId: string, query: ListQuery): Promise<Lookup<Document>> {
    const { cache, database, loadQueue } = this.#dependencies
    const selection = this.#selection(userId, query)
    const entry = this.#addresses.list(userId, selection.canonical)
    return cache.getOrLoad<Document>(entry.key, entry, async () => {
      const { rows, nextCursor } = await loadQueue.run(userId, () => this.#rows.list(database, userId, selection))
      return pageInTurn(rows.map(this.#serialize), nextCursor)
    })
  }

  /**
   * One page of the rows `ids`, from their single documents, in that order; each once, without those the user does not have.
   * @throws InvalidCursorError when the cursor is not from the page before, of the same ids
   */
  getMany(userId: string, ids: readonly string[], cursor?: string): Promise<Lookup<Document>> {
    const { cache, database, loadQueue } = this.#dependencies
    const list = listTag(this.#definition.name, userId)
    return pageByIds({ list, ids, cursor }, (wanted) => {
      const reads = wanted.map((id) => this.#entry(userId, id)).map((options) => ({ key: options.key, options }))
      return cache.getMany<Document>(reads, async (missing) => {
        const asked = missing.map((index) => wanted[index] ?? '')
        const rows = await loadQueue.run(userId, () => this.#rows.findMany(database, userId, asked))
        const documents = new Map(rows.map((row) => [row.id, this.#document(row)]))
        return asked.map((id) => documents.get(id))
      })
    })
  }

  /**
   * @param key the caller's Idempotency-Key: what it created within a day is answered again, and not created again
   * @throws InvalidReferenceError when the body names a row that is not the user's; with a key StillRunningError, IdempotencyKeyReusedError
   */
  async create(userId: string, body: Body<Schemas>, key?: string): Promise<Saved> {
    const columns = this.#columns(body)
    const work = async (): Promise<Saved> => {
      if (key === undefined) return this.#saved(await this.#writer.insert(userId, columns))
      const repeatable = { key, request: digestOf(this.#definition.name, body) }
      return savedOnce(this.#dependencies.database, userId.toLowerCase(), repeatable, async (transaction) =>
        this.#saved(await this.#writer.insertIn(transaction, userId, columns)),
      )
    }
    return this.#write(userId, this.#newTags(userId, columns), work, {
      isChange: (saved) => saved.isRepeated !== true,
      raised: ({ id }) => [rowTag(this.#definition.name, userId, id)],
    })
  }

  /**
   * Creates the rows whose natural key the user does not have yet, all in one transaction: safe to repeat after an
   * interruption and beside another call. For some hundred bodies at a time.
   * @returns what became of each body, in their order
   * @throws NotFoundError when the user is gone
   */
  async createMissing(userId: string, bodies: readonly Body<Schemas>[]): Promise<readonly BulkOutcome[]> {
    const { database } = this.#dependencies
    const rows = bodies.map((body) => ({ columns: this.#columns(body) }))
    const owner = userId.toLowerCase()
    const [definition, references] = [this.#definition, this.#references]
    const changed = [listTag(definition.name, owner), missingTag(definition.name)]
    const work = (): Promise<readonly BulkOutcome[]> => insertMissing(database, { definition, references }, owner, rows)
    return this.#write(owner, changed, work, { isChange: (outcomes) => outcomes.includes('created') })
  }

  /**
   * Changes the fields that `change` names; where they hold that already, nothing is written and no replica told. Fields that only the
   * service writes may be in it as they were read.
   * @param preconditions compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError, ReadOnlyFieldError, InvalidRequestError
   */
  async update(userId: string, id: string, change: Change<Schemas>, preconditions: Preconditions = {}): Promise<Saved> {
    const rowId = id.toLowerCase()
    const [fields, repeated] = splitChange(change, READ_ONLY)
    const columns = this.#columns(fields)
    const condition = new Condition({ id: rowId, kind: this.kind }, preconditions, repeated)
    const work = async (): Promise<Written<ResourceRow>> =>
      this.#writer.update(userId, rowId, columns, await this.#versions(userId, rowId, condition))
    return this.#saved(await this.#write(userId, this.#ownTags(userId, rowId, columns), work, { isChange: isChanged }))
  }

  /**
   * @param preconditions compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError, InvalidRequestError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, preconditions: Preconditions = {}): Promise<string> {
    const rowId = id.toLowerCase()
    // Rows that refer to it change too: the owner's tag stands for them.
    const isAlone = this.#dependents.length === 0
    const changed = isAlone ? this.#ownTags(userId, rowId) : [ownerTag(userId), ...this.#ownTags(userId, rowId)]
    const condition = new Condition({ id: rowId, kind: this.kind }, preconditions)
    const work = async (): Promise<number> =>
      this.#writer.delete(userId, rowId, await this.#versions(userId, rowId, condition))
    return this.#dependencies.versionOf(await this.#write(userId, changed, work))
  }

  #selection(userId: string, query: ListQuery): Selection {
    return selectionOf(listTag(this.#definition.name, userId), this.#filters, query)
  }

  #versions(userId: string, id: string, condition: Condition): Promise<AllowedVersions> {
    return condition.versions(async () => {
      const row = await this.#rows.find(this.#dependencies.database, userId, id)
      return row && commonFields(row)
    })
  }

  #write<Value>(
    userId: string,
    tags: readonly string[],
    work: () => Promise<Value>,
    options: Pick<WriteOptions<Value>, 'isChange' | 'raised'> = {},
  ): Promise<Value> {
    return this.#dependencies.cache.write(tags, work, { ...options, refusedBy: ownersWhenRefused(userId) })
  }

  /** What a write of this row raises, by this replica's own account. An external_id that it had is found by the row's tag. */
  #ownTags(userId: string, id: string, columns: ColumnValues = {}): string[] {
    return [rowTag(this.#definition.name, userId, id), ...this.#newTags(userId, columns)]
  }

  /** Of a row whose id nobody knows before it is there. */
  #newTags(userId: string, { external_id: externalId }: ColumnValues): string[] {
    const { name } = this.#definition
    const named = typeof externalId === 'string' ? [externalIdTag(name, userId, externalId)] : []
    return [listTag(name, userId), ...named]
  }

  #saved({ row, transaction }: Written<ResourceRow>): Saved {
    return { id: row.id, document: this.#document(row), version: this.#dependencies.versionOf(transaction) }
  }

  /** Lower case: `A…` and `a…` are one row, and must be one entry under one tag. */
  #entry(userId: string, id: string): EntryAddress {
    return this.#addresses.document(userId, id.toLowerCase())
  }

  #columns(body: Change<Schemas>): ColumnValues {
    return columnValues(this.#definition.columns, this.#definition.toColumns?.(body) ?? { ...body })
  }

  #document(row: ResourceRow): Document {
    const refersTo = tagsOfReferences(row.user_id, this.#references, row)
    return rowDocument({ ...row, version: Number(row.version) }, this.#serialize, refersTo)
  }
}
