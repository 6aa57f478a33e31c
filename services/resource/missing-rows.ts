import type { Database, Queryable } from '../database/database.js'
import { sqlState } from '../database/errors.js'
import { ExternalIdTakenError, NotFoundError } from '../errors.js'
import { insertRows, keysThere, lockBulkInserts, type NewRow } from './bulk-rows.js'
import type { ResourceDefinition } from './definition.js'
import { isExternalIdTaken } from './external-id.js'
import { lockOwner, lockReferences, type Reference } from './references.js'
import type { ColumnValues } from './columns.js'

/** What became of one body of a bulk insert: an error says why it was left out. */
export type BulkOutcome = 'created' | 'already there' | Error

const FOREIGN_KEY_VIOLATION = '23503'

interface MissingOf {
  readonly definition: ResourceDefinition
  readonly references: readonly Reference[]
}

/**
 * Inserts the rows whose natural key the user does not have yet, in one transaction. Calls for the same user wait for
 * one another, so that neither repeats nor concurrent calls make a key twice.
 * @returns what became of each row, in their order
 * @throws NotFoundError when the user is gone
 */
export async function insertMissing(
  database: Database,
  { definition, references }: MissingOf,
  userId: string,
  rows: readonly NewRow[],
): Promise<readonly BulkOutcome[]> {
  for (;;) {
    try {
      return await database.transaction((transaction) =>
        insertIn(transaction, { definition, references }, userId, rows),
      )
    } catch (error) {
      // Somebody else took one of the external_ids since they were looked up: the next look finds it.
      if (isExternalIdTaken(error, definition.name)) continue
      // References are locked, so the one foreign key left to violate is the user's.
      throw sqlState(error) === FOREIGN_KEY_VIOLATION ? new NotFoundError('user') : error
    }
  }
}

async function insertIn(
  transaction: Queryable,
  { definition, references }: MissingOf,
  userId: string,
  rows: readonly NewRow[],
): Promise<readonly BulkOutcome[]> {
  const { name, naturalKey } = definition
  if (naturalKey === undefined) throw new Error(`${name} have no natural key`)
  const keyOf = ({ columns }: NewRow): string => String(columns[naturalKey])
  await lockOwner(transaction, userId)
  await lockBulkInserts(transaction, definition, userId)
  const known = await keysThere(transaction, definition, userId, naturalKey, rows.map(keyOf))
  const taken = await keysThere(transaction, definition, userId, 'external_id', rows.flatMap(externalIdOf))
  const refusals = await referenceRefusals(transaction, userId, references, rows)
  const missing: NewRow[] = []
  const outcomes = rows.map((row, index): BulkOutcome => {
    if (known.has(keyOf(row))) return 'already there'
    const refusal = refusals[index]
    if (refusal !== undefined) return refusal
    if (externalIdOf(row).some((id) => taken.has(id))) return new ExternalIdTakenError(definition.kind)
    for (const id of externalIdOf(row)) taken.add(id)
    known.add(keyOf(row))
    missing.push(row)
    return 'created'
  })
  await insertRows(transaction, definition, userId, missing)
  return outcomes
}

/** As a list: of none or one. */
function externalIdOf({ columns: { external_id: externalId } }: NewRow): readonly string[] {
  return typeof externalId === 'string' ? [externalId] : []
}

/** Locks what the rows refer to: in one statement per reference, and row by row only to find out which one is at fault. */
async function referenceRefusals(
  transaction: Queryable,
  userId: string,
  references: readonly Reference[],
  rows: readonly NewRow[],
): Promise<readonly (Error | undefined)[]> {
  const all: ColumnValues = Object.fromEntries(
    references.map(({ column }) => [column, [...new Set(rows.flatMap(({ columns }) => columns[column] ?? []))]]),
  )
  if ((await lockReferences(transaction, userId, references, all)) === undefined) return []
  const refusals: (Error | undefined)[] = []
  for (const { columns } of rows) refusals.push(await lockReferences(transaction, userId, references, columns))
  return refusals
}
