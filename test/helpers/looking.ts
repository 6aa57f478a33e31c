import type { Queryable, Statement } from '../../services/database/index.js'

interface Plan {
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Relation Name'?: string
  readonly 'Rows Removed by Filter'?: number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

/** What the statements of a transaction had to look at, each by the plan for its values and by that for all. */
export class Looking implements Queryable {
  readonly seen: { readonly name: string; readonly rows: number; readonly pages: number }[] = []
  readonly #run: (text: string) => Promise<object[]>
  readonly #database: Queryable

  constructor(database: Queryable) {
    this.#database = database
    this.#run = (text) => database.query({ name: 'test', text })
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    for (const planning of ['force_custom_plan', 'force_generic_plan']) {
      await this.#run(`set local plan_cache_mode = ${planning}`)
      await this.#run(`savepoint before`)
      await this.#run(`prepare looked as ${statement.text}`)
      const values = (statement.values ?? []).map(literal).join(', ')
      const [row] = await this.#run(`explain (analyze, buffers, format json) execute looked(${values})`)
      const [{ Plan: plan }] = (row as { 'QUERY PLAN': [{ Plan: Plan }] })['QUERY PLAN']
      const pages = plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
      this.seen.push({ name: `${statement.name} (${planning})`, rows: rowsOf(plan), pages })
      await this.#run('rollback to savepoint before')
      await this.#run('deallocate looked')
    }
    return this.#database.query<Row>(statement)
  }
}

function rowsOf(plan: Plan): number {
  const own = (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']
  const inner = (plan.Plans ?? []).reduce((sum, each) => sum + rowsOf(each), 0)
  return inner + (plan['Relation Name'] === undefined ? 0 : own)
}

function literal(value: unknown): string {
  if (value === null) return 'null'
  const plain = (each: unknown): string => (typeof each === 'string' ? each : JSON.stringify(each))
  const text = Array.isArray(value) ? `{${value.map((each) => JSON.stringify(plain(each))).join(',')}}` : plain(value)
  return `'${text.replaceAll("'", "''")}'`
}
