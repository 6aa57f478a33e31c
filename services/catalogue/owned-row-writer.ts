import { NotFoundError, PreconditionFailedError, UnauthorizedError } from '../errors.js'
import type { RaisedTag } from '../cache/index.js'
import { raiseTags, sqlState, type Database, type Queryable } from '../database/index.js'
import { forgetReferences, idsReferringTo, tagsOfDependents } from './dependents.js'
import type { Domain } from './domain.js'
import type { AllowedVersions, OwnedRows } from './owned-rows.js'
import { lockReferences } from './references.js'
import type { OwnedRow } from './table.js'

const FOREIGN_KEY_VIOLATION = '23503'

/** How many of the rows that stand in a delete's way are named to the caller. */
const MOST_NAMED = 10

/** The row as committed, and the tags that its transaction raised. */
export interface Written<Row> {
  readonly row: Row
  readonly raised: readonly RaisedTag[]
}

/**
 * The transactions of one owned domain. In each, raising the tags is the last statement: the journal's row locks
 * are then held for as short as can be.
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
      return await this.#database.transaction(async (transaction) => {
        const refusal = await lockReferences(transaction, userId, this.#domain.references, columns)
        if (refusal !== undefined) throw refusal
        const row = await this.#rows.insert(transaction, userId, id, columns)
        return { row, raised: await raiseTags(transaction, this.#ownTags(userId, id)) }
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
    return this.#database.transaction(async (transaction) => {
      const refusal = await lockReferences(transaction, userId, this.#domain.references, columns)
      if (refusal !== undefined) throw await this.#absence(transaction, userId, id, versions, refusal)
      const row = await this.#rows.update(transaction, userId, id, columns, versions)
      if (row === undefined) throw await this.#absence(transaction, userId, id, versions)
      const dependents = await tagsOfDependents(transaction, userId, id, this.#domain.dependents)
      return { row, raised: await raiseTags(transaction, [...this.#ownTags(userId, id), ...dependents]) }
    })
  }

  /** @throws NotFoundError, PreconditionFailedError, or the domain's refusal while other rows need this one */
  async delete(userId: string, id: string, versions: AllowedVersions): Promise<readonly RaisedTag[]> {
    return this.#database.transaction(async (transaction) => {
      const isLocked = await this.#rows.lock(transaction, userId, id, versions)
      if (!isLocked) throw await this.#absence(transaction, userId, id, versions)
      await this.#refuseWhileInUse(transaction, userId, id)
      const forgotten = await forgetReferences(transaction, userId, id, this.#domain.dependents)
      await this.#rows.delete(transaction, userId, id)
      return raiseTags(transaction, [...this.#ownTags(userId, id), ...forgotten])
    })
  }

  #ownTags(userId: string, id: string): string[] {
    return [this.#domain.tag(userId, id), this.#domain.listTag(userId)]
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
    transaction: Queryable,
    userId: string,
    id: string,
    versions: AllowedVersions,
    otherwise: Error = new PreconditionFailedError(),
  ): Promise<Error> {
    const row = await this.#rows.find(transaction, userId, id)
    if (row === undefined) return new NotFoundError(this.#domain.kind)
    const isAllowed = versions === undefined || versions.includes(Number(row.version))
    return isAllowed ? otherwise : new PreconditionFailedError()
  }
}
