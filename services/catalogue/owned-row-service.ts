import { tags } from '../cache-map.js'
import type { EntryAddress } from '../cache-map.js'
import { type Lookup, missingTag, type TieredCache } from '../cache/index.js'
import type { Database } from '../database/index.js'
import type { Document } from '../documents/document.js'
import { combinedLookup } from './combined-lookup.js'
import { pageDocument, rowDocument, type Serialize } from './documents.js'
import type { Domain } from './domain.js'
import { allowedVersions } from './etag.js'
import { insertMissing, type BulkOutcome } from './missing-rows.js'
import { OwnedRowWriter } from './owned-row-writer.js'
import { OwnedRows, type Written } from './owned-rows.js'
import { tagsOfReferences } from './references.js'
import { cutPage, selectionOf, type ListQuery } from './selection.js'
import type { ColumnValues, OwnedRow } from './table.js'

/** What a service is built from. */
export interface Foundation {
  readonly database: Database
  readonly cache: TieredCache
  /** A fresh UUIDv7, in lower case, higher than the ones before it. */
  readonly newId: () => string
  /** The version token of a committed transaction: a read that requires it is never older. */
  readonly versionOf: (transaction: number) => string
}

/** A row that was just written. */
export interface Saved {
  readonly id: string
  readonly document: Document
  /** The write's version token. */
  readonly version: string
}

/**
 * The read and the write path of one owned domain. Reads go through the cache. A write commits its rows and, by their triggers, its
 * invalidation together; once it resolves, this replica no longer answers with anything older.
 *
 * Ids may come in any letter case; a row of another user is no row. Everything throws DatabaseUnavailableError when
 * neither the cache nor the database can answer.
 */
export class OwnedRowService<
  New extends Change,
  Change extends object,
  Row extends OwnedRow,
  Item extends { readonly id: string; readonly version: number },
> {
  readonly #foundation: Foundation
  readonly #domain: Domain<Change, Row, Item>
  readonly #serialize: Serialize<Item>
  readonly #rows: OwnedRows<Row>
  readonly #writer: OwnedRowWriter<Change, Row, Item>

  constructor(foundation: Foundation, domain: Domain<Change, Row, Item>, serialize: Serialize<Item>) {
    this.#foundation = foundation
    this.#domain = domain
    this.#serialize = serialize
    this.#rows = new OwnedRows<Row>(domain.table)
    this.#writer = new OwnedRowWriter(foundation.database, this.#rows, domain)
  }

  /**
   * The row when memory holds it fresh; never waits and never reads the database. `id` may be any text: what is no id in
   * lower case has no entry.
   */
  peek(userId: string, id: string): Lookup<Document> | undefined {
    return this.#foundation.cache.peek(this.#domain.entry(userId, id).key)
  }

  /** The row; a lookup without a document when the user has no such row. */
  get(userId: string, id: string): Promise<Lookup<Document>> {
    const entry = this.#entry(userId, id)
    return this.#foundation.cache.getOrLoad<Document>(entry.key, entry, async () => {
      const row = await this.#rows.find(this.#foundation.database, userId, id)
      return row && this.#document(row)
    })
  }

  /**
   * One page when memory holds it fresh.
   * @throws InvalidCursorError
   */
  peekList(userId: string, query: ListQuery): Lookup<Document> | undefined {
    const { canonical } = selectionOf(this.#domain.table, query)
    return this.#foundation.cache.peek(this.#domain.listEntry(userId, canonical).key)
  }

  /**
   * One page, newest first.
   * @throws InvalidCursorError
   */
  async list(userId: string, query: ListQuery): Promise<Lookup<Document>> {
    const selection = selectionOf(this.#domain.table, query)
    const entry = this.#domain.listEntry(userId, selection.canonical)
    return this.#foundation.cache.getOrLoad<Document>(entry.key, entry, async () => {
      const rows = await this.#rows.list(this.#foundation.database, userId, selection)
      const [page, nextCursor] = cutPage(rows, selection.limit)
      return pageDocument(
        page.map((row) => this.#document(row).json),
        nextCursor,
      )
    })
  }

  /** One page of the rows `ids`, from their single documents, in that order; each once, without those the user does not have. */
  async getMany(userId: string, ids: readonly string[]): Promise<Lookup<Document>> {
    const wanted = [...new Set(ids.map((id) => id.toLowerCase()))]
    const reads = wanted.map((id) => this.#entry(userId, id)).map((options) => ({ key: options.key, options }))
    const lookups = await this.#foundation.cache.getMany<Document>(reads, async (missing) => {
      const asked = missing.map((index) => wanted[index] ?? '')
      const rows = await this.#rows.findMany(this.#foundation.database, userId, asked)
      const documents = new Map(rows.map((row) => [row.id, this.#document(row)]))
      return asked.map((id) => documents.get(id))
    })
    return combinedLookup(lookups)
  }

  /** @throws InvalidReferenceError when the body names a row that is not the user's */
  async create(userId: string, body: New): Promise<Saved> {
    const { cache, newId } = this.#foundation
    const id = newId()
    return this.#saved(await cache.write(this.#ownTags(userId, id), () => this.#writer.insert(userId, id, body)))
  }

  /**
   * Creates the rows whose natural key the user does not have yet, all in one transaction: safe to repeat after an
   * interruption and beside another call. For some hundred bodies at a time.
   * @returns what became of each body, in their order
   * @throws NotFoundError when the user is gone
   */
  async createMissing(userId: string, bodies: readonly New[]): Promise<readonly BulkOutcome[]> {
    const { database, cache, newId } = this.#foundation
    const rows = bodies.map((body) => ({ id: newId(), columns: this.#domain.toColumns(body) }))
    const owner = userId.toLowerCase()
    const changed = [this.#domain.listTag(owner), missingTag(this.#domain.table.name)]
    return cache.write(changed, () => insertMissing(database, this.#domain, owner, rows))
  }

  /**
   * Changes the fields that `change` names.
   * @param ifMatch the If-Match header: compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError
   */
  async update(userId: string, id: string, change: Change, ifMatch?: string): Promise<Saved> {
    const rowId = id.toLowerCase()
    const work = (): Promise<Written<Row>> => this.#writer.update(userId, rowId, change, allowedVersions(ifMatch))
    return this.#saved(await this.#foundation.cache.write(this.#ownTags(userId, rowId), work))
  }

  /**
   * @param ifMatch the If-Match header: compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, ifMatch?: string): Promise<string> {
    const { cache, versionOf } = this.#foundation
    const rowId = id.toLowerCase()
    // Rows that refer to it change too: the owner's tag stands for them.
    const isAlone = this.#domain.dependents.length === 0
    const changed = isAlone ? this.#ownTags(userId, rowId) : [tags.owner(userId), ...this.#ownTags(userId, rowId)]
    return versionOf(await cache.write(changed, () => this.#writer.delete(userId, rowId, allowedVersions(ifMatch))))
  }

  #ownTags(userId: string, id: string): string[] {
    return [this.#domain.tag(userId, id), this.#domain.listTag(userId)]
  }

  #saved({ row, transaction }: Written<Row>): Saved {
    return { id: row.id, document: this.#document(row), version: this.#foundation.versionOf(transaction) }
  }

  /** Lower case: `A…` and `a…` are one row, and must be one entry under one tag. */
  #entry(userId: string, id: string): EntryAddress {
    return this.#domain.entry(userId, id.toLowerCase())
  }

  #document(row: Row): Document {
    const refersTo = tagsOfReferences(row.user_id, this.#domain.references, { ...row } as ColumnValues)
    return rowDocument(this.#domain.toItem(row), this.#serialize, refersTo)
  }
}
