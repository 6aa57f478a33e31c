import pg from 'pg'
import type { Queryable, Statement } from '../../services/database/index.js'

/** What one statement, or several, had to look at. */
export interface Reading {
  /** Of the table and of no index, those that did not fit included. */
  readonly rows: number
  /** Pages of 8 kB, of indexes as well. */
  readonly buffers: number
  readonly statements: readonly string[]
}

interface Plan {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

/** How the server plans: for the values of one statement, or once for all values, as it may for a statement that is prepared. */
export type Planning = 'force_custom_plan' | 'force_generic_plan'

/** Answers statements, and adds up what each of them reads. */
export class ExplainingClient implements Queryable {
  readonly #client: pg.Client
  readonly #planning: Planning
  #reading: Reading = { rows: 0, buffers: 0, statements: [] }

  constructor(client: pg.Client, planning: Planning) {
    this.#client = client
    this.#planning = planning
  }

  get reading(): Reading {
    return this.#reading
  }

  async query<Row extends object>({ name, text, values = [] }: Statement): Promise<Row[]> {
    await this.#client.query(`set plan_cache_mode = ${this.#planning}; prepare explained as ${text}`)
    const given = values.length === 0 ? '' : `(${values.map(literalOf).join(', ')})`
    try {
      const { rows } = await this.#client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `explain (analyze, buffers, timing off, format json) execute explained${given}`,
      )
      const plan = rows[0]?.['QUERY PLAN'][0].Plan
      if (plan === undefined) throw new Error(`${name}: no plan`)
      this.#reading = {
        rows: this.#reading.rows + rowsOf(plan),
        buffers: this.#reading.buffers + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
        statements: [...this.#reading.statements, name],
      }
    } finally {
      await this.#client.query('deallocate explained')
    }
    return (await this.#client.query<Row>(text, [...values])).rows
  }
}

function rowsOf(plan: Plan): number {
  const own = plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)
  const inner = (plan.Plans ?? []).reduce((sum, each) => sum + rowsOf(each), 0)
  return inner + (plan['Relation Name'] === undefined ? 0 : own * plan['Actual Loops'])
}

function literalOf(value: unknown): string {
  if (!Array.isArray(value)) return pg.escapeLiteral(String(value))
  return `array[${value.map(literalOf).join(', ')}]`
}
