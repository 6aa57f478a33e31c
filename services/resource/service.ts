import type { Static } from '@sinclair/typebox'
import { missingTag, type WriteOptions } from '../cache/index.js'
import { isDeadlock } from '../database/errors.js'
import { mapInTurns } from '../documents/own-turn.js'
import { again, isMadeMeanwhile } from './again.js'
import { externalIdTag, listTag, ownersWhenRefused, ownerTag, rowTag } from './addresses.js'
import { Bulk, type BulkAnswer, type BulkRequest, SomeRefused } from './bulk/bulk.js'
import type { Outcome } from './bulk/operation.js'
import { type BulkItem, operationOf } from './bulk/item.js'
import type { ColumnValues } from './sql/columns.js'
import { Condition, judgeForm, type Preconditions, splitChange } from './condition.js'
import type { ResourceDefinition, ResourceSchemas } from './definition.js'
import { digestOf, savedOnce } from './idempotency.js'
import type { Saved, ServiceDependencies } from './dependencies.js'
import { NotFoundError } from '../errors.js'
import { externalIdFor } from './external-id.js'
import { RowImporter } from './import/importer.js'
import type { ImportOutcome } from './import/row.js'
import { ResourceReads } from './reads.js'
import { commonFields, type ResourceRow } from './sql/row.js'
import type { AllowedVersions, Written } from './sql/rows.js'
import { type Replaced, ResourceWriter } from './writer.js'

export type { Saved, ServiceDependencies }

/** For {@link TieredCache.write}. */
export const isChanged = (write: Written<unknown>): boolean => write.isChanged

type Body<Schemas extends ResourceSchemas> = Static<Schemas['creation']>
type Replacement<Schemas extends ResourceSchemas> = Static<Schemas['replacement']>
type Change<Schemas extends ResourceSchemas> = Static<Schemas['change']>

/**
 * The read and the write path of one resource. A write commits its rows and, by their triggers, its invalidation together; once it
 * resolves, this replica no longer answers with anything older.
 */
export class ResourceService<Schemas extends ResourceSchemas = ResourceSchemas> extends ResourceReads<Schemas> {
  readonly #writer: ResourceWriter

  /** @throws Error when the definition contradicts itself or the others of `dependencies.resources` */
  constructor(dependencies: ServiceDependencies, definition: ResourceDefinition<Schemas>) {
    super(dependencies, definition)
    const { rows, references, dependents } = this.resource
    this.#writer = new ResourceWriter({ database: dependencies.database, rows, definition, references, dependents })
  }

  /**
   * @param key the caller's Idempotency-Key: what it created within a day is answered again, and not created again
   * @throws InvalidReferenceError when the body names a row that is not the user's; with a key StillRunningError, IdempotencyKeyReusedError
   */
  async create(userId: string, body: Body<Schemas>, key?: string): Promise<Saved> {
    const columns = this.resource.columns(body)
    const work = async (): Promise<Saved> => {
      if (key === undefined) return this.#saved(await this.#writer.insert(userId, columns))
      const repeatable = { key, request: digestOf(this.resource.definition.name, body) }
      return savedOnce(
        this.resource.dependencies.database.writesOf(userId),
        userId.toLowerCase(),
        repeatable,
        async (transaction) => this.#saved(await this.#writer.insertIn(transaction, userId, columns)),
      )
    }
    return this.#write(userId, this.#newTags(userId, columns), work, {
      isChange: (saved) => saved.isRepeated !== true,
      raised: ({ id }) => [rowTag(this.resource.definition.name, userId, id)],
    })
  }

  /**
   * Creates the rows that the user does not have yet: {@link RowImporter}. For some hundred bodies at a time.
   * @returns what became of each body, in their order
   * @throws NotFoundError when the user is gone
   */
  async createMissing(userId: string, bodies: readonly Body<Schemas>[]): Promise<readonly ImportOutcome[]> {
    const { dependencies, definition } = this.resource
    const rows = bodies.map((body) => ({ body: { ...body } }))
    return new RowImporter(dependencies, definition).write(userId, rows, { existing: 'keep' })
  }

  /**
   * Many operations in one transaction, in their order, of which some may be refused.
   * @param key see {@link ResourceService.create}
   * @param judged says what is wrong with an item, if something is
   * @returns with `isAtomic`, what became of each when some are refused and so nothing was written
   * @throws TooManyReadsError; with a key StillRunningError, IdempotencyKeyReusedError
   */
  async bulk(
    userId: string,
    items: readonly BulkItem[],
    request: Pick<BulkRequest, 'isAtomic' | 'told'> & {
      readonly key: string | undefined
      readonly judged: (item: BulkItem) => BulkItem | Error
    },
  ): Promise<BulkAnswer | readonly Outcome[]> {
    const { key, isAtomic, told, judged } = request
    const { name } = this.resource.definition
    // Rows that refer to deleted ones change too: the owner's tag stands for all.
    const changed = [ownerTag(userId), missingTag(name)]
    const bulk = new Bulk(this.resource, this.#writer)
    // The others of this user wait without a connection of the pool's, and those that are too many cost nothing more.
    const inTurn = async (): Promise<BulkAnswer> => {
      const operations = await mapInTurns(items, (item) => operationOf(this.resource, judged(item)))
      const repeatable = key === undefined ? undefined : { key, request: digestOf(`${name} bulk`, { items, isAtomic }) }
      const work = (): Promise<BulkAnswer> => bulk.run(userId, { operations, isAtomic, told, repeatable })
      return this.#write(userId, changed, work, { isChange: ({ isRepeated }) => !isRepeated })
    }
    try {
      return await this.resource.dependencies.bulkQueue.run(userId, inTurn)
    } catch (error) {
      if (error instanceof SomeRefused) return error.outcomes
      throw error
    }
  }

  /**
   * Changes the fields that `change` names; where they hold that already, nothing is written and no replica told. Fields that only the
   * service writes may be in it as they were read.
   * @param preconditions compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError, ReadOnlyFieldError, InvalidRequestError
   */
  async update(userId: string, id: string, change: Change<Schemas>, preconditions: Preconditions = {}): Promise<Saved> {
    const rowId = id.toLowerCase()
    const [fields, repeated] = splitChange(change)
    const columns = this.resource.columns(fields)
    const condition = new Condition({ id: rowId, kind: this.kind }, preconditions, repeated)
    const work = async (): Promise<Written<ResourceRow>> =>
      this.#writer.update(userId, rowId, columns, await this.#versions(userId, rowId, condition))
    return this.#saved(await this.#write(userId, this.#ownTags(userId, rowId, columns), work, { isChange: isChanged }))
  }

  /**
   * Replaces the row whole: what `body` leaves out gets its default.
   * @param preconditions compared under the row's lock
   * @throws NotFoundError, PreconditionFailedError, InvalidReferenceError, ReadOnlyFieldError, InvalidRequestError
   */
  async replace(
    userId: string,
    id: string,
    body: Replacement<Schemas>,
    preconditions: Preconditions = {},
  ): Promise<Saved> {
    judgeForm(preconditions)
    const rowId = id.toLowerCase()
    const [fields, repeated] = splitChange(body)
    const columns = this.resource.columns(fields)
    const versionsOf = (row: ResourceRow | undefined): Promise<AllowedVersions> => {
      if (row === undefined) throw new NotFoundError(this.kind)
      return this.#versionsOf(row, preconditions, repeated)
    }
    const work = (): Promise<Replaced> => this.#writer.replace(userId, { id: rowId }, columns, versionsOf)
    return this.#saved(await this.#write(userId, this.#ownTags(userId, rowId, columns), work, { isChange: isChanged }))
  }

  /**
   * Replaces the row that has this external_id, or makes it.
   * @param preconditions compared under the row's lock
   * @throws PreconditionFailedError, InvalidReferenceError, ReadOnlyFieldError, InvalidRequestError
   */
  async replaceByExternalId(
    userId: string,
    externalId: string,
    body: Replacement<Schemas>,
    preconditions: Preconditions = {},
  ): Promise<Saved & { readonly isNew: boolean }> {
    const [fields, repeated] = splitChange(body)
    const columns = { ...this.resource.columns(fields), external_id: externalIdFor(externalId, fields) }
    const versionsOf = async (row: ResourceRow | undefined): Promise<AllowedVersions> => {
      if (row !== undefined) return this.#versionsOf(row, preconditions, repeated)
      new Condition({ id: '', kind: this.kind }, preconditions, repeated).judgeAbsence()
      return undefined
    }
    const work = (): Promise<Replaced> => this.#writer.replace(userId, { externalId }, columns, versionsOf)
    const replaced = await this.#write(userId, this.#newTags(userId, columns), () => again(work, isMadeMeanwhile), {
      isChange: isChanged,
      raised: ({ row }) => [rowTag(this.resource.definition.name, userId, row.id)],
    })
    return { ...this.#saved(replaced), isNew: replaced.isNew }
  }

  /** {@link ResourceService.delete} by the caller's own key. */
  async deleteByExternalId(userId: string, externalId: string, preconditions: Preconditions = {}): Promise<string> {
    judgeForm(preconditions)
    const { name } = this.resource.definition
    const changed = this.#deletedTags(userId, [listTag(name, userId), externalIdTag(name, userId, externalId)])
    const work = (): Promise<{ readonly id: string; readonly transaction: number }> =>
      this.#writer.deleteByExternalId(userId, externalId, (row) => this.#versionsOf(row, preconditions))
    const { transaction } = await this.#write(userId, changed, work, {
      raised: ({ id }) => [rowTag(name, userId, id)],
    })
    return this.resource.dependencies.versionOf(transaction)
  }

  /**
   * @param preconditions compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError, InvalidRequestError, or the domain's refusal while other rows need this one
   */
  async delete(userId: string, id: string, preconditions: Preconditions = {}): Promise<string> {
    const rowId = id.toLowerCase()
    const changed = this.#deletedTags(userId, this.#ownTags(userId, rowId))
    const condition = new Condition({ id: rowId, kind: this.kind }, preconditions)
    const work = async (): Promise<number> =>
      this.#writer.delete(userId, rowId, await this.#versions(userId, rowId, condition))
    return this.resource.dependencies.versionOf(await this.#write(userId, changed, work))
  }

  /** Of a row that is locked. */
  #versionsOf(row: ResourceRow, preconditions: Preconditions, repeated: object = {}): Promise<AllowedVersions> {
    return new Condition({ id: row.id, kind: this.kind }, preconditions, repeated).versions(async () =>
      commonFields(row),
    )
  }

  #versions(userId: string, id: string, condition: Condition): Promise<AllowedVersions> {
    return condition.versions(async () => {
      const row = await this.resource.rows.find(this.resource.dependencies.database.writesOf(userId), userId, id)
      return row && commonFields(row)
    })
  }

  #write<Value>(
    userId: string,
    tags: readonly string[],
    work: () => Promise<Value>,
    options: Pick<WriteOptions<Value>, 'isChange' | 'raised'> = {},
  ): Promise<Value> {
    const refusedBy = ownersWhenRefused(userId)
    return this.resource.dependencies.cache.write(tags, () => again(work, isDeadlock), { ...options, refusedBy })
  }

  /** What a write of this row raises, by this replica's own account. An external_id that it had is found by the row's tag. */
  #ownTags(userId: string, id: string, columns: ColumnValues = {}): string[] {
    return [rowTag(this.resource.definition.name, userId, id), ...this.#newTags(userId, columns)]
  }

  /** Rows that refer to the deleted one change too: the owner's tag stands for them. */
  #deletedTags(userId: string, tags: readonly string[]): readonly string[] {
    return this.resource.dependents.length === 0 ? tags : [ownerTag(userId), ...tags]
  }

  /** Of a row whose id nobody knows before it is there. */
  #newTags(userId: string, { external_id: externalId }: ColumnValues): string[] {
    const { name } = this.resource.definition
    const named = typeof externalId === 'string' ? [externalIdTag(name, userId, externalId)] : []
    return [listTag(name, userId), ...named]
  }

  #saved({ row, transaction }: Written<ResourceRow>): Saved {
    return {
      id: row.id,
      document: this.resource.document(row),
      version: this.resource.dependencies.versionOf(transaction),
    }
  }
}
