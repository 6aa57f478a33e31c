import { NotFoundError, PreconditionFailedError, UnauthorizedError } from '../errors.js'
import { sqlState, type Database, type Queryable } from '../database/index.js'
import { forgetReferences, idsReferringTo } from './dependents.js'
import type { Domain } from './domain.js'
import type { AllowedVersions, OwnedRows, Written } from './owned-rows.js'
import { lockOwner, lockReferences } from './references.js'
import type { OwnedRow } from './table.js'

const FOREIGN_KEY_VIOLATION = '23503'

/** How many of the rows that stand in a delete's way are named to the caller. */
const MOST_NAMED = 10

/**
 * The writes of one owned domain: plain SQL, since the tables' own triggers tell the cache. What refers to no other row is one
 * statement in one round trip; the rest is a transaction that holds what it refers to.
 */
export class OwnedRowWriter<Change extends object, Row extends OwnedRow, Item> {
  readonly #database: Database
  readonly #rows: OwnedRows<Row>
  readonly #domain: Domain<Change, Row, Item>

  constructor(database: Database, rows: OwnedRows<Row>, domain: Domain<Change, Row, Item>) {
    this.#database = database
    this.#rows = rows
    this.#domain = domain
  }

  /** @throws InvalidReferenceError, UnauthorizedError when the user is gone */
  async insert(userId: string, id: string, body: Change): Promise<Written<Row>> {
    const columns = this.#domain.toColumns(body)
    try {
      if (!this.#refersTo(columns)) return await this.#rows.insert(this.#database, userId, id, columns)
      return await this.#database.transaction(async (transaction) => {
        await lockOwner(transaction, userId)
        const refusal = await lockReferences(transaction, userId, this.#domain.references, columns)
        if (refusal !== undefined) throw refusal
        return this.#rows.insert(transaction, userId, id, columns)
      })
    } catch (error) {
      // References are locked, so the one foreign key left to violate is the user, deleted since the request came in.
      if (sqlState(error) === FOREIGN_KEY_VIOLATION) throw new UnauthorizedError()
      throw error
    }
  }

  /** @throws NotFoundError, PreconditionFailedError, InvalidReferenceError */
  async update(userId: string, id: string, change: Change, versions: AllowedVersions): Promise<Written<Row>> {
    const columns = this.#domain.toColumns(change)
    if (!this.#refersTo(columns)) {
      const written = await this.#rows.update(this.#database, userId, id, columns, versions)
      if (written === undefined) throw await this.#absence(this.#database, userId, id, versions)
      return written
    }
    return this.#database.transaction(async (transaction) => {
      const refusal = await lockReferences(transaction, userId, this.#domain.references, columns)
      if (refusal !== undefined) throw await this.#absence(transaction, userId, id, versions, refusal)
      const written = await this.#rows.update(transaction, userId, id, columns, versions)
      if (written === undefined) throw await this.#absence(transaction, userId, id, versions)
      return written
    })
  }

  /**
   * @returns the transaction that deleted the row
   * @throws NotFoundError, PreconditionFailedError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, versions: AllowedVersions): Promise<number> {
    const { dependents } = this.#domain
    if (dependents.length === 0) return this.#deleteRow(this.#database, userId, id, versions)
    return this.#database.transaction(async (transaction) => {
      const isLocked = await this.#rows.lock(transaction, userId, id, versions)
      if (!isLocked) throw await this.#absence(transaction, userId, id, versions)
      await this.#refuseWhileInUse(transaction, userId, id)
      await forgetReferences(transaction, userId, id, dependents)
      return this.#deleteRow(transaction, userId, id, versions)
    })
  }

  async #deleteRow(db: Queryable, userId: string, id: string, versions: AllowedVersions): Promise<number> {
    const transaction = await this.#rows.delete(db, userId, id, versions)
    if (transaction === undefined) throw await this.#absence(db, userId, id, versions)
    return transaction
  }

  #refersTo(columns: Readonly<Record<string, unknown>>): boolean {
    return this.#domain.references.some(({ column }) => columns[column] != null)
  }

  /** The row is locked, and so is whatever a new reference to it would have to lock first: the answer holds until commit. */
  async #refuseWhileInUse(transaction: Queryable, userId: string, id: string): Promise<void> {
    for (const dependent of this.#domain.dependents.filter(({ onDelete }) => onDelete === 'refuse')) {
      const ids = await idsReferringTo(transaction, userId, id, dependent, MOST_NAMED)
      if (ids.length > 0 && this.#domain.inUse !== undefined) throw this.#domain.inUse(ids)
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
    const row = await this.#rows.find(db, userId, id)
    if (row === undefined) return new NotFoundError(this.#domain.kind)
    const isAllowed = versions === undefined || versions.includes(Number(row.version))
    return isAllowed ? otherwise : new PreconditionFailedError()
  }
}
