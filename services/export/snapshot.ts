import type { Database, Queryable } from '../database/database.js'

/**
 * Runs `work` on one snapshot of the database: a transaction that only reads, on a connection of the pool.
 * @param idleMs how long it may stand still before the server ends it; 0: for ever
 */
export function inSnapshot<T>(
  database: Database,
  idleMs: number,
  work: (snapshot: Queryable) => Promise<T>,
): Promise<T> {
  return database.transaction(async (transaction) => {
    await transaction.query({
      name: 'export.begin',
      text: 'set transaction isolation level repeatable read, read only',
    })
    await transaction.query({
      name: 'export.limit',
      // Rows come in the order of an index, which the planner leaves for a sort of all that a user has where it takes that for little.
      text: `select set_config('idle_in_transaction_session_timeout', $1::text, true),
        set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)`,
      values: [String(idleMs)],
    })
    return work(transaction)
  })
}
