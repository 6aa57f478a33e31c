import type { Queryable } from '../../database/database.js'
import { DatabaseUnavailableError, sqlState } from '../../database/errors.js'
import { NotFoundError, PreconditionFailedError } from '../../errors.js'
import { isMadeMeanwhile, MOST_ATTEMPTS } from '../again.js'
import { lockBulkInserts } from '../sql/bulk-rows.js'
import { Condition } from '../condition.js'
import { type Answered, answeredOnce, type Repeatable } from '../idempotency.js'
import type { Resource } from '../resource.js'
import { commonFields, type ResourceRow } from '../sql/row.js'
import type { AllowedVersions, RowKey, Written } from '../sql/rows.js'
import type { ResourceWriter } from '../writer.js'
import { doAtOnce } from './at-once.js'
import type { Demands, Done, Operation, Outcome, Run } from './operation.js'
import { runsOf } from './operation.js'

/** Many operations that a caller asks for in one request. */
export interface BulkRequest {
  readonly operations: readonly (Operation | Error)[]
  /** All of them, or none. */
  readonly isAtomic: boolean
  /** The caller's Idempotency-Key, and what it stands for. */
  readonly repeatable: Repeatable | undefined
  /** What the caller is told of one, as JSON. */
  readonly told: (outcome: Outcome) => object
}

export interface BulkAnswer {
  /** What became of each, in their order, as the text of a JSON array. */
  readonly results: string
  /** The write's version token. */
  readonly version: string
  /** Nothing was written now: it is the answer to an earlier request with the same key. */
  readonly isRepeated: boolean
}

/** All or nothing was asked for, and some are refused. */
export class SomeRefused extends Error {
  readonly statusCode = 422

  constructor(readonly outcomes: readonly Outcome[]) {
    super('some operations are refused')
  }
}

/**
 * Many operations in one transaction, in their order. Neighbours of a kind are done in one statement; if that is refused, one by one, each
 * behind a savepoint of its own, which tells which of them is at fault. So what an operation does is said once, by {@link ResourceWriter}.
 */
export class Bulk {
  readonly #resource: Resource
  readonly #writer: ResourceWriter

  constructor(resource: Resource, writer: ResourceWriter) {
    this.#resource = resource
    this.#writer = writer
  }

  /** @throws SomeRefused; with a key StillRunningError, IdempotencyKeyReusedError */
  async run(userId: string, { operations, isAtomic, repeatable, told }: BulkRequest): Promise<BulkAnswer> {
    const { versionOf } = this.#resource.dependencies
    const database = this.#resource.dependencies.database.writesOf(userId)
    const work = async (transaction: Queryable): Promise<Answered> => {
      // Two that make the same rows in another order would wait for each other.
      await lockBulkInserts(transaction, this.#resource.definition, userId.toLowerCase())
      const outcomes = await this.#runIn(transaction, userId, operations)
      if (isAtomic && outcomes.some((outcome) => outcome instanceof Error)) throw new SomeRefused(outcomes)
      const version = versionOf(await transactionOf(transaction))
      return { id: null, etag: null, body: JSON.stringify(outcomes.map(told)), version }
    }
    const { body, version, isRepeated } =
      repeatable === undefined
        ? { ...(await database.transaction(work)), isRepeated: false }
        : await answeredOnce(database, userId.toLowerCase(), repeatable, work)
    return { results: body, version, isRepeated }
  }

  /** @returns what became of each, in their order; errors among `operations` are theirs already */
  async #runIn(
    transaction: Queryable,
    userId: string,
    operations: readonly (Operation | Error)[],
  ): Promise<readonly Outcome[]> {
    const outcomes = operations.map((operation): Outcome => (operation instanceof Error ? operation : UNDONE))
    for (const run of runsOf(operations)) {
      const done = await this.#runOf(transaction, userId, run)
      run.forEach(({ index }, place) => (outcomes[index] = done[place] ?? UNDONE))
    }
    return outcomes
  }

  async #runOf(transaction: Queryable, userId: string, run: Run): Promise<Outcome[]> {
    if (run.length > 1) {
      const done = await behindSavepoint(transaction, () => doAtOnce(transaction, this.#resource, userId, run))
      if (!(done instanceof Error)) return done
    }
    const outcomes: Outcome[] = []
    for (const { operation } of run) {
      outcomes.push(await this.#alone(transaction, userId, operation))
    }
    return outcomes
  }

  /** An upsert that takes the row for missing waits for who is making it, is refused, and finds the row when it begins anew. */
  async #alone(transaction: Queryable, userId: string, operation: Operation): Promise<Outcome> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await behindSavepoint(transaction, () => this.#one(transaction, userId, operation))
      const isLate = operation.op === 'upsert' && isMadeMeanwhile(outcome)
      if (!isLate || attempt === MOST_ATTEMPTS) return outcome
    }
  }

  async #one(transaction: Queryable, userId: string, operation: Operation): Promise<Done> {
    if (operation.op === 'create') {
      return doneOf(await this.#writer.insertIn(transaction, userId, operation.columns), true)
    }
    if (operation.op === 'upsert') {
      const { externalId, columns, demands } = operation
      const versionsOf = (row?: ResourceRow): Promise<AllowedVersions> => this.#versionsOf(row, demands)
      const replaced = await this.#writer.replaceIn(transaction, userId, { externalId }, columns, versionsOf)
      return doneOf(replaced, replaced.isNew)
    }
    const { row, versions } = await this.#lock(transaction, userId, operation.key, operation.demands)
    if (operation.op === 'update') {
      return doneOf(await this.#writer.updateIn(transaction, userId, row.id, operation.columns, versions), false)
    }
    await this.#writer.deleteLocked(transaction, userId, row.id)
    return { status: 204, id: row.id, external_id: row.external_id, isChanged: true }
  }

  async #lock(transaction: Queryable, userId: string, key: RowKey, demands: Demands | undefined) {
    const there = await this.#resource.rows.lockWhole(transaction, userId, key)
    if (there === undefined) throw new NotFoundError(this.#resource.definition.kind)
    const versions = await this.#versionsOf(there.row, demands)
    const isAllowed = versions === undefined || versions.includes(Number(there.row.version))
    if (!isAllowed) throw new PreconditionFailedError()
    return { row: there.row, versions }
  }

  async #versionsOf(row: ResourceRow | undefined, demands?: Demands): Promise<AllowedVersions> {
    const { ifMatch, repeated } = demands ?? {}
    const condition = new Condition({ id: row?.id ?? '', kind: this.#resource.definition.kind }, { ifMatch }, repeated)
    if (row !== undefined) return condition.versions(async () => commonFields(row))
    condition.judgeAbsence()
    return undefined
  }
}

/** Of the transaction in which many operations were done: a later read may require it. */
async function transactionOf(transaction: Queryable): Promise<number> {
  const text = 'select pg_current_xact_id()::text as transaction'
  const [row] = await transaction.query<{ transaction: string }>({ name: 'bulk.transaction', text })
  return Number(row?.transaction)
}

const UNDONE = new Error('an operation was left out')

function doneOf({ row, isChanged }: Written<ResourceRow>, isNew: boolean): Done {
  const { id, external_id: externalId, version } = row
  return { status: isNew ? 201 : 200, id, external_id: externalId, version: Number(version), isChanged }
}

/**
 * What `work` made, or the error that it was refused with: what it wrote is taken back then, and the transaction goes on.
 * @throws what no caller is to blame for: the database is gone, or the code is wrong
 */
async function behindSavepoint<Result>(transaction: Queryable, work: () => Promise<Result>): Promise<Result | Error> {
  await transaction.query({ name: 'bulk.savepoint', text: 'savepoint bulk' })
  try {
    const result = await work()
    await transaction.query({ name: 'bulk.release', text: 'release savepoint bulk' })
    return result
  } catch (error) {
    if (!(error instanceof Error) || !isRefusal(error)) throw error
    await transaction.query({ name: 'bulk.rollback', text: 'rollback to savepoint bulk' })
    await transaction.query({ name: 'bulk.release', text: 'release savepoint bulk' })
    return error
  }
}

function isRefusal(error: Error): boolean {
  if (error instanceof DatabaseUnavailableError) return false
  return sqlState(error) !== undefined || ('statusCode' in error && Number(error.statusCode) < 500)
}
