import type { Queryable, Statement } from '../../database/database.js'
import { FIRST_ID } from './owner.js'

/** Half of what a bulk may have: the server is through with them long before a statement has reached its limit of time, however many there are in all. */
const STEP_ROWS = 500

/** What is done to rows of one table. */
export interface Steps extends Pick<Statement, 'name' | 'values'> {
  readonly table: string
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
  const { name, values = [], table, ids, condition = 'true', work } = steps
  // The count has all of them locked: nothing else may ask for them.
  const text = `with step as materialized (${ids(`$${values.length + 1}::uuid`)} limit ${STEP_ROWS}),
    locked as materialized (
      select id from ${table} where id = any(array(select id from step)) and ${condition} order by id for update
    )${work === undefined ? '' : `, done as (${work})`}
    select step.id from step, (select count(*) from locked) as held offset ${STEP_ROWS - 1} limit 1`
  for (let from: string | undefined = FIRST_ID; from !== undefined;) {
    const last: { id: string }[] = await transaction.query({ name, text, values: [...values, from] })
    from = last[0]?.id
  }
}
