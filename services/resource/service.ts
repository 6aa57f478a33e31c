import type { Static } from '@sinclair/typebox'
import { missingTag, type WriteOptions } from '../cache/index.js'
import { externalIdTag, listTag, ownersWhenRefused, ownerTag, rowTag } from './addresses.js'
import type { ColumnValues } from './columns.js'
import { Condition, type Preconditions, splitChange } from './condition.js'
import type { ResourceDefinition, ResourceSchemas } from './definition.js'
import { digestOf, savedOnce } from './idempotency.js'
import type { Saved, ServiceDependencies } from './dependencies.js'
import { type BulkOutcome, insertMissing } from './missing-rows.js'
import { ResourceReads } from './reads.js'
import { commonFields, type ResourceRow } from './row.js'
import type { AllowedVersions, Written } from './rows.js'
import { ofTheService } from './schema.js'
import { ResourceWriter } from './writer.js'

export type { Saved, ServiceDependencies }

/** For {@link TieredCache.write}. */
export const isChanged = (write: Written<unknown>): boolean => write.isChanged

/** What every row has and no caller writes. */
const READ_ONLY = Object.keys(ofTheService)

type Body<Schemas extends ResourceSchemas> = Static<Schemas['creation']>
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
      return savedOnce(this.resource.dependencies.database, userId.toLowerCase(), repeatable, async (transaction) =>
        this.#saved(await this.#writer.insertIn(transaction, userId, columns)),
      )
    }
    return this.#write(userId, this.#newTags(userId, columns), work, {
      isChange: (saved) => saved.isRepeated !== true,
      raised: ({ id }) => [rowTag(this.resource.definition.name, userId, id)],
    })
  }

  /**
   * Creates the rows whose natural key the user does not have yet, all in one transaction: safe to repeat after an
   * interruption and beside another call. For some hundred bodies at a time.
   * @returns what became of each body, in their order
   * @throws NotFoundError when the user is gone
   */
  async createMissing(userId: string, bodies: readonly Body<Schemas>[]): Promise<readonly BulkOutcome[]> {
    const { database } = this.resource.dependencies
    const rows = bodies.map((body) => ({ columns: this.resource.columns(body) }))
    const owner = userId.toLowerCase()
    const [definition, references] = [this.resource.definition, this.resource.references]
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
    const columns = this.resource.columns(fields)
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
    const isAlone = this.resource.dependents.length === 0
    const changed = isAlone ? this.#ownTags(userId, rowId) : [ownerTag(userId), ...this.#ownTags(userId, rowId)]
    const condition = new Condition({ id: rowId, kind: this.kind }, preconditions)
    const work = async (): Promise<number> =>
      this.#writer.delete(userId, rowId, await this.#versions(userId, rowId, condition))
    return this.resource.dependencies.versionOf(await this.#write(userId, changed, work))
  }

  #versions(userId: string, id: string, condition: Condition): Promise<AllowedVersions> {
    return condition.versions(async () => {
      const row = await this.resource.rows.find(this.resource.dependencies.database, userId, id)
      return row && commonFields(row)
    })
  }

  #write<Value>(
    userId: string,
    tags: readonly string[],
    work: () => Promise<Value>,
    options: Pick<WriteOptions<Value>, 'isChange' | 'raised'> = {},
  ): Promise<Value> {
    return this.resource.dependencies.cache.write(tags, work, { ...options, refusedBy: ownersWhenRefused(userId) })
  }

  /** What a write of this row raises, by this replica's own account. An external_id that it had is found by the row's tag. */
  #ownTags(userId: string, id: string, columns: ColumnValues = {}): string[] {
    return [rowTag(this.resource.definition.name, userId, id), ...this.#newTags(userId, columns)]
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
