import { tags } from '../cache-map.js'
import type { Document, EntryAddress, Lookup, TieredCache } from '../cache/index.js'
import type { Database } from '../database/index.js'
import { combinedLookup } from './combined-lookup.js'
import { pageDocument, rowDocument, type Serialize } from './documents.js'
import type { Domain } from './domain.js'
import { requireVersion } from './min-version.js'
import { allowedVersions } from './etag.js'
import { insertMissing, type BulkOutcome } from './missing-rows.js'
import { OwnedRowWriter } from './owned-row-writer.js'
import { OwnedRows } from './owned-rows.js'
import { cutPage, selectionOf, type ListQuery } from './selection.js'
import type { OwnedRow } from './table.js'

/** What a service is built from. */
export interface Foundation {
  readonly database: Database
  readonly cache: TieredCache
  /** A fresh UUIDv7, in lower case, higher than the ones before it. */
  readonly newId: () => string
}

/** A row that was just written. */
export interface Saved {
  readonly id: string
  readonly document: Document
  /** The write's version token: a read that requires it is never older. */
  readonly version: string
}

/**
 * The read and the write path of one owned domain. Reads go through the cache. A write commits its rows and its
 * invalidation together and resolves once this replica no longer answers with anything older.
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
  peek(userId: string, id: string): Lookup | undefined {
    return this.#foundation.cache.peek(this.#domain.entry(userId, id))
  }

  /** The row; a lookup without a document when the user has no such row. */
  get(userId: string, id: string): Promise<Lookup> {
    return this.#foundation.cache.getOrLoad(this.#entry(userId, id), async () => {
      const row = await this.#rows.find(this.#foundation.database, userId, id)
      return row && this.#document(row)
    })
  }

  /**
   * One page when memory holds it fresh.
   * @throws InvalidCursorError
   */
  peekList(userId: string, query: ListQuery): Lookup | undefined {
    const { canonical } = selectionOf(this.#domain.table, query)
    return this.#foundation.cache.peek(this.#domain.listEntry(userId, canonical))
  }

  /**
   * One page, newest first.
   * @throws InvalidCursorError
   */
  async list(userId: string, query: ListQuery): Promise<Lookup> {
    const selection = selectionOf(this.#domain.table, query)
    return this.#foundation.cache.getOrLoad(this.#domain.listEntry(userId, selection.canonical), async () => {
      const rows = await this.#rows.list(this.#foundation.database, userId, selection)
      const [page, nextCursor] = cutPage(rows, selection.limit)
      return pageDocument(
        page.map((row) => this.#document(row).json),
        nextCursor,
      )
    })
  }

  /** One page of the rows `ids`, from their single documents, in that order; each once, without those the user does not have. */
  async getMany(userId: string, ids: readonly string[]): Promise<Lookup> {
    const wanted = [...new Set(ids.map((id) => id.toLowerCase()))]
    const addresses = wanted.map((id) => this.#entry(userId, id))
    const lookups = await this.#foundation.cache.getMany(addresses, async (missing) => {
      const asked = missing.map((index) => wanted[index] ?? '')
      const rows = await this.#rows.findMany(this.#foundation.database, userId, asked)
      const documents = new Map(rows.map((row) => [row.id, this.#document(row)]))
      return asked.map((id) => documents.get(id))
    })
    return combinedLookup(lookups)
  }

  /**
   * Reads of these rows and of the lists are at least as new, from here on, as the write whose version token this is.
   * @throws InvalidVersionError, DatabaseUnavailableError
   */
  require(userId: string, ids: readonly string[], version: string): Promise<void> {
    const { tag, listTag } = this.#domain
    const own = ids.map((id) => tag(userId, id.toLowerCase()))
    return requireVersion(this.#foundation.cache, [...own, listTag(userId), tags.owner(userId)], version)
  }

  /** @throws InvalidReferenceError when the body names a row that is not the user's */
  async create(userId: string, body: New): Promise<Saved> {
    const { row, raised } = await this.#writer.insert(userId, this.#foundation.newId(), body)
    const version = await this.#foundation.cache.raise(raised)
    return { id: row.id, document: this.#document(row), version }
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
    const { outcomes, raised } = await insertMissing(database, this.#domain, userId.toLowerCase(), rows)
    await cache.raise(raised)
    return outcomes
  }

  /**
   * Changes the fields that `change` names.
   * @param ifMatch the If-Match header: compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError
   */
  async update(userId: string, id: string, change: Change, ifMatch?: string): Promise<Saved> {
    const { row, raised } = await this.#writer.update(userId, id.toLowerCase(), change, allowedVersions(ifMatch))
    const version = await this.#foundation.cache.raise(raised)
    return { id: row.id, document: this.#document(row), version }
  }

  /**
   * @param ifMatch the If-Match header: compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, ifMatch?: string): Promise<string> {
    return this.#foundation.cache.raise(await this.#writer.delete(userId, id.toLowerCase(), allowedVersions(ifMatch)))
  }

  /** Lower case: `A…` and `a…` are one row, and must be one entry under one tag. */
  #entry(userId: string, id: string): EntryAddress {
    return this.#domain.entry(userId, id.toLowerCase())
  }

  #document(row: Row): Document {
    return rowDocument(this.#domain.toItem(row), this.#serialize)
  }
}
