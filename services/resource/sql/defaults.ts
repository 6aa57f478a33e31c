import type { Queryable } from '../../database/database.js'
import { type Columns, type ColumnValues, DEFAULT, isJson } from './columns.js'

/** What a table gives to the columns that an insert does not name, as SQL: the database's own text, read when it is first needed. */
export class ColumnDefaults {
  readonly #table: string
  #known: Readonly<Record<string, string>> | undefined
  #values: ColumnValues | undefined

  constructor(table: string) {
    this.#table = table
  }

  /** By column. Empty when none of `columns` asks for its default: nothing is read then. */
  async of(db: Queryable, columns: ColumnValues): Promise<Readonly<Record<string, string>>> {
    if (!Object.values(columns).includes(DEFAULT)) return {}
    this.#known ??= await this.#read(db)
    return this.#known
  }

  /** What they are, as values of `columns`: read once. */
  async values(db: Queryable, columns: Columns): Promise<ColumnValues> {
    this.#known ??= await this.#read(db)
    this.#values ??= await this.#evaluate(db, columns, this.#known)
    return this.#values
  }

  async #evaluate(
    db: Queryable,
    columns: Columns,
    expressions: Readonly<Record<string, string>>,
  ): Promise<ColumnValues> {
    // Of JSON its very text: it is compared by its bytes.
    const values = Object.entries(columns).map(([name, type]) => {
      return `(${expressions[name] ?? 'null'})::${type}${isJson(type) ? '::text' : ''} as ${name}`
    })
    const [row] = await db.query<{ defaults: string }>({
      name: `${this.#table}.default-values`,
      text: `select row_to_json(d)::text as defaults from (select ${values.join(', ')}) as d`,
    })
    const defaults: ColumnValues = JSON.parse(row?.defaults ?? '{}')
    return defaults
  }

  async #read(db: Queryable): Promise<Readonly<Record<string, string>>> {
    const rows = await db.query<{ name: string; expression: string }>({
      name: `${this.#table}.defaults`,
      text: `select a.attname as name, coalesce(pg_get_expr(d.adbin, d.adrelid), 'null') as expression
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped`,
      values: [this.#table],
    })
    return Object.fromEntries(rows.map(({ name, expression }) => [name, expression]))
  }
}
