import {
  ExternalIdTakenError,
  InUseError,
  NotFoundError,
  PreconditionFailedError,
  UnauthorizedError,
} from '../errors.js'
import type { Database, Queryable } from '../database/database.js'
import { isForeignKeyViolation } from '../database/errors.js'
import { isExternalIdTaken } from './external-id.js'
import type { ColumnValues } from './sql/columns.js'
import { type Dependent, forgetReferences, idsReferringTo } from './sql/dependents.js'
import type { ResourceDefinition } from './definition.js'
import { lockOwner, lockReferences, type Reference } from './sql/references.js'
import type { ResourceRow } from './sql/row.js'
import type { AllowedVersions, ResourceRows, RowKey, Written } from './sql/rows.js'
import { replaceRow } from './sql/upsert.js'

/** What became of a row that was to be replaced. */
export interface Replaced extends Written<ResourceRow> {
  /** There was none. */
  readonly isNew: boolean
}

/** How many of the rows that stand in a delete's way are named to the caller. */
const MOST_NAMED = 10

export interface ResourceWriterOptions {
  readonly database: Database
  readonly rows: ResourceRows
  readonly definition: ResourceDefinition
  readonly references: readonly Reference[]
  readonly dependents: readonly Dependent[]
}

/**
 * The writes of one resource: plain SQL, since the tables' own triggers tell the cache. What refers to no other row is one
 * statement in one round trip; the rest is a transaction that holds what it refers to.
 */
export class ResourceWriter {
  readonly #options: ResourceWriterOptions

  constructor(options: ResourceWriterOptions) {
    this.#options = options
  }

  /** @throws InvalidReferenceError, ExternalIdTakenError, UnauthorizedError when the user is gone */
  insert(userId: string, columns: ColumnValues): Promise<Written<ResourceRow>> {
    const { database, rows } = this.#options
    if (!this.#refersTo(columns)) return this.#inserted(rows.insert(database.writesOf(userId), userId, columns))
    return database.writesOf(userId).transaction((transaction) => this.insertIn(transaction, userId, columns))
  }

  /** {@link ResourceWriter.insert} as a part of a transaction of the caller's. */
  async insertIn(transaction: Queryable, userId: string, columns: ColumnValues): Promise<Written<ResourceRow>> {
    const { rows, references } = this.#options
    await lockOwner(transaction, userId)
    const refusal = await lockReferences(transaction, userId, references, columns)
    if (refusal !== undefined) throw refusal
    return this.#inserted(rows.insert(transaction, userId, columns))
  }

  /**
   * Writes nothing when the row holds all that already.
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError, ExternalIdTakenError
   */
  async update(
    userId: string,
    id: string,
    columns: ColumnValues,
    versions: AllowedVersions,
  ): Promise<Written<ResourceRow>> {
    const { database } = this.#options
    if (!this.#refersTo(columns)) return this.#updateRow(database.writesOf(userId), userId, id, columns, versions)
    return database
      .writesOf(userId)
      .transaction((transaction) => this.updateIn(transaction, userId, id, columns, versions))
  }

  /** {@link ResourceWriter.update} as a part of a transaction of the caller's. */
  async updateIn(
    transaction: Queryable,
    userId: string,
    id: string,
    columns: ColumnValues,
    versions: AllowedVersions,
  ): Promise<Written<ResourceRow>> {
    const refusal = await lockReferences(transaction, userId, this.#options.references, columns)
    if (refusal !== undefined) throw await this.#absence(transaction, userId, id, versions, refusal)
    return this.#updateRow(transaction, userId, id, columns, versions)
  }

  /** Begins anew when somebody else's change came between its two looks at the row. */
  async #updateRow(
    db: Queryable,
    userId: string,
    id: string,
    columns: ColumnValues,
    versions: AllowedVersions,
  ): Promise<Written<ResourceRow>> {
    const { rows, definition } = this.#options
    for (;;) {
      const written = await this.#named(rows.update(db, userId, id, columns, versions))
      if (written !== undefined) return written
      const there = await rows.compare(db, userId, id, columns)
      if (there === undefined) throw new NotFoundError(definition.kind)
      if (!isAllowed(versions, there.found.row)) throw new PreconditionFailedError()
      if (!there.differs) return there.found
    }
  }

  /**
   * Replaces the row whole, or makes the one that has this external_id. The owner and what `columns` refer to are locked first, then the row.
   * @param versionsOf which versions of the row may be replaced; it is asked while the row is locked, or with `undefined` when there is none
   * @throws InvalidReferenceError, ExternalIdTakenError, UnauthorizedError when the user is gone, and what `versionsOf` throws
   */
  replace(
    userId: string,
    key: RowKey,
    columns: ColumnValues,
    versionsOf: (row: ResourceRow | undefined) => Promise<AllowedVersions>,
  ): Promise<Replaced> {
    return this.#options.database
      .writesOf(userId)
      .transaction((transaction) => this.replaceIn(transaction, userId, key, columns, versionsOf))
  }

  /** {@link ResourceWriter.replace} as a part of a transaction of the caller's. */
  async replaceIn(
    transaction: Queryable,
    userId: string,
    key: RowKey,
    columns: ColumnValues,
    versionsOf: (row: ResourceRow | undefined) => Promise<AllowedVersions>,
  ): Promise<Replaced> {
    const { rows, references, definition } = this.#options
    await lockOwner(transaction, userId)
    const refusal = await lockReferences(transaction, userId, references, columns)
    const there = await rows.lockWhole(transaction, userId, key)
    const versions = await versionsOf(there?.row)
    if (there !== undefined && !isAllowed(versions, there.row)) throw new PreconditionFailedError()
    if (refusal !== undefined) throw refusal
    if (there === undefined) {
      return { ...(await this.#inserted(rows.insert(transaction, userId, columns))), isNew: true }
    }
    const { id } = there.row
    const isChanged = await this.#named(replaceRow(transaction, definition, { userId, id, columns }))
    const now = isChanged ? await rows.lockWhole(transaction, userId, { id }) : there
    if (now === undefined) throw new Error(`${definition.name}: a locked row is gone`)
    return { ...now, isChanged, isNew: false }
  }

  /**
   * @returns the transaction that deleted the row
   * @throws NotFoundError, PreconditionFailedError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, versions: AllowedVersions): Promise<number> {
    const { database, rows, dependents } = this.#options
    if (dependents.length === 0) return this.#deleteRow(database.writesOf(userId), userId, id, versions)
    return database.writesOf(userId).transaction(async (transaction) => {
      const isLocked = await rows.lock(transaction, userId, id, versions)
      if (!isLocked) throw await this.#absence(transaction, userId, id, versions)
      return this.deleteLocked(transaction, userId, id)
    })
  }

  /**
   * @param versionsOf which versions of the row may be deleted; it is asked while the row is locked
   * @returns the transaction that deleted the row, and its id
   * @throws as {@link ResourceWriter.delete}, and what `versionsOf` throws
   */
  deleteByExternalId(
    userId: string,
    externalId: string,
    versionsOf: (row: ResourceRow) => Promise<AllowedVersions>,
  ): Promise<{ readonly id: string; readonly transaction: number }> {
    const { database, rows, definition } = this.#options
    return database.writesOf(userId).transaction(async (transaction) => {
      const there = await rows.lockWhole(transaction, userId, { externalId })
      if (there === undefined) throw new NotFoundError(definition.kind)
      if (!isAllowed(await versionsOf(there.row), there.row)) throw new PreconditionFailedError()
      const { id } = there.row
      return { id, transaction: await this.deleteLocked(transaction, userId, id) }
    })
  }

  /** {@link ResourceWriter.delete} as a part of a transaction of the caller's that has locked the row. */
  async deleteLocked(transaction: Queryable, userId: string, id: string): Promise<number> {
    await this.#refuseWhileInUse(transaction, userId, id)
    await forgetReferences(transaction, userId, [id], this.#options.dependents)
    return this.#deleteRow(transaction, userId, id, undefined)
  }

  async #deleteRow(db: Queryable, userId: string, id: string, versions: AllowedVersions): Promise<number> {
    const transaction = await this.#options.rows.delete(db, userId, id, versions)
    if (transaction === undefined) throw await this.#absence(db, userId, id, versions)
    return transaction
  }

  /** References are locked, so the one foreign key left to violate is the user, deleted since the request came in. */
  #inserted<T>(insert: Promise<T>): Promise<T> {
    return this.#named(insert).catch((error: unknown) => {
      throw isForeignKeyViolation(error) ? new UnauthorizedError() : error
    })
  }

  async #named<T>(write: Promise<T>): Promise<T> {
    const { name, kind } = this.#options.definition
    try {
      return await write
    } catch (error) {
      throw isExternalIdTaken(error, name) ? new ExternalIdTakenError(kind) : error
    }
  }

  #refersTo(columns: Readonly<Record<string, unknown>>): boolean {
    return this.#options.references.some(({ column }) => columns[column] != null)
  }

  /** The row is locked, and so is whatever a new reference to it would have to lock first: the answer holds until commit. */
  async #refuseWhileInUse(transaction: Queryable, userId: string, id: string): Promise<void> {
    const { definition, dependents } = this.#options
    for (const dependent of dependents.filter(({ onDelete }) => onDelete === 'refuse')) {
      const ids = await idsReferringTo(transaction, userId, [id], dependent, MOST_NAMED)
      if (ids.length > 0)
        throw definition.inUse?.(ids) ?? new InUseError(definition.kind, dependent.table, ids.join(', '))
    }
  }

  /** Why no row could be written: 404 before 412, and both before `otherwise`. */
  async #absence(
    db: Queryable,
    userId: string,
    id: string,
    versions: AllowedVersions,
    otherwise: Error = new PreconditionFailedError(),
  ): Promise<Error> {
    const row = await this.#options.rows.find(db, userId, id)
    if (row === undefined) return new NotFoundError(this.#options.definition.kind)
    return isAllowed(versions, row) ? otherwise : new PreconditionFailedError()
  }
}

function isAllowed(versions: AllowedVersions, row: ResourceRow): boolean {
  return versions === undefined || versions.includes(Number(row.version))
}
