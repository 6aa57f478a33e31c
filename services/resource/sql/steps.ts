import type { Queryable, Statement } from '../../database/database.js'
import { FIRST_ID, isOf } from './owner.js'

/** Half of what a bulk may have: the server is through with them long before a statement has reached its limit of time, however many there are in all. */
const STEP_ROWS = 500

/**
 * Whose ids are asked for at once: 4 MB of them here. To find some may take the server as long as to find all, and what a step has changed stays in an
 * index until the transaction is over.
 */
const FOUND_ROWS = 20_000

/** What is done to rows of one table. */
export interface Steps extends Pick<Statement, 'name'> {
  readonly table: string
  /** The first one is the user whose rows they are. */
  readonly values: readonly unknown[]
  /** SQL of the ids of all from the id at that place on, in their order. */
  readonly ids: (from: string) => string
  /** What has still to hold of a row once it is locked: who had it locked before may have changed it. */
  readonly condition?: string
  /** SQL of a change of the rows with the ids of `locked`; without it they are locked, and no more. */
  readonly work?: string
}

/**
 * Does to all rows what one statement would do, some hundreds at a time, and locks them in the order of their ids. One statement for all would reach
 * its limit of time where they are many, and do so each time that it is tried.
 */
export async function inSteps(transaction: Queryable, steps: Steps): Promise<void> {
  const { name, values, table, ids, condition = 'true', work } = steps
  const place = `$${values.length + 1}`
  // The planner does not see how many ids there are, nor how many are asked for: of a table that is not large it would rather read everybody's rows, and
  // of a user whom its statistics do not know all that are left each time.
  const text = `with locked as materialized (
      select id from ${table} where id = any((select ${place}::uuid[])::uuid[]) and ${isOf(table, '$1')} and ${condition}
      order by id for update
    )${work === undefined ? '' : `, done as (${work})`}
    select count(*) from locked`
  for (let from: string | undefined = FIRST_ID; from !== undefined;) {
    const found: { id: string }[] = await transaction.query({
      name: `${name}-find`,
      text: `${ids(`${place}::uuid`)} limit (select ${FOUND_ROWS})`,
      values: [...values, from],
    })
    const all = found.map(({ id }) => id)
    for (let at = 0; at < all.length; at += STEP_ROWS) {
      await transaction.query({ name, text, values: [...values, all.slice(at, at + STEP_ROWS)] })
    }
    from = all.length < FOUND_ROWS ? undefined : all.at(-1)
  }
}
