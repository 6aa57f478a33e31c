import type { Queryable, Statement } from '../database/database.js'
import type { Selection } from './selection.js'
import type { ColumnValues, Filter, OwnedRow, Table } from './table.js'

/** Versions that If-Match allows; `undefined` allows any. */
export type AllowedVersions = readonly number[] | undefined

/**
 * The SQL of one owned table. Every statement names the owner, so that another user's row is the same as no row.
 * Lock order across tables: templates, designs, mockups, each by id; another order can deadlock.
 */
export class OwnedRows<Row extends OwnedRow> {
  readonly #table: Table
  readonly #columns: string

  constructor(table: Table) {
    this.#table = table
    this.#columns = ['id', 'user_id', 'version', ...Object.keys(table.columns), 'created_at', 'updated_at'].join(', ')
  }

  async find(db: Queryable, userId: string, id: string): Promise<Row | undefined> {
    const text = `select ${this.#columns} from ${this.#table.name} where user_id = $1::uuid and id = $2::uuid`
    const [row] = await db.query<Row>(this.#statement('find', text, [userId, id]))
    return row
  }

  /** The rows of `ids` that are there and the user's, in no order. */
  findMany(db: Queryable, userId: string, ids: readonly string[]): Promise<Row[]> {
    const text = `select ${this.#columns} from ${this.#table.name} where user_id = $1::uuid and id = any($2::uuid[])`
    return db.query<Row>(this.#statement('find-many', text, [userId, ids]))
  }

  /** Newest first; one row more than the limit when there is a next page. */
  list(db: Queryable, userId: string, selection: Selection): Promise<Row[]> {
    const values: unknown[] = [userId]
    const conditions = ['user_id = $1::uuid']
    if (selection.after !== undefined) conditions.push(`id < $${values.push(selection.after)}::uuid`)
    for (const [filter, value] of selection.filters) conditions.push(condition(filter, values.push(value)))
    const text = `select ${this.#columns} from ${this.#table.name} where ${conditions.join(' and ')}
      order by id desc limit $${values.push(selection.limit + 1)}::integer`
    return db.query<Row>(this.#statement('list', text, values))
  }

  async insert(db: Queryable, userId: string, id: string, columns: ColumnValues): Promise<Row> {
    const names = Object.keys(columns)
    const places = names.map((name, index) => `$${index + 3}::${this.#type(name)}`)
    const text = `insert into ${this.#table.name} (${['id', 'user_id', ...names].join(', ')})
      values (${['$1::uuid', '$2::uuid', ...places].join(', ')}) returning ${this.#columns}`
    const [row] = await db.query<Row>(this.#statement('insert', text, [id, userId, ...Object.values(columns)]))
    if (row === undefined) throw new Error(`${this.#table.name}: an insert returned no row`)
    return row
  }

  /** `undefined` when there is no such row in an allowed version: compared under the row's lock, so one writer wins. */
  async update(
    db: Queryable,
    userId: string,
    id: string,
    columns: ColumnValues,
    versions: AllowedVersions,
  ): Promise<Row | undefined> {
    const changes = Object.keys(columns).map((name, index) => `${name} = $${index + 4}::${this.#type(name)}, `)
    const text = `update ${this.#table.name} set ${changes.join('')}version = version + 1, updated_at = now()
      where id = $1::uuid and user_id = $2::uuid and ($3::bigint[] is null or version = any($3::bigint[]))
      returning ${this.#columns}`
    const values = [id, userId, versions ?? null, ...Object.values(columns)]
    const [row] = await db.query<Row>(this.#statement('update', text, values))
    return row
  }

  /** Locks the row until the transaction ends; false when there is none in an allowed version. */
  async lock(db: Queryable, userId: string, id: string, versions: AllowedVersions): Promise<boolean> {
    const text = `select id from ${this.#table.name} where id = $1::uuid and user_id = $2::uuid
      and ($3::bigint[] is null or version = any($3::bigint[])) for update`
    const rows = await db.query(this.#statement('lock', text, [id, userId, versions ?? null]))
    return rows.length > 0
  }

  async delete(db: Queryable, userId: string, id: string): Promise<void> {
    const text = `delete from ${this.#table.name} where id = $1::uuid and user_id = $2::uuid`
    await db.query(this.#statement('delete', text, [id, userId]))
  }

  #statement(verb: string, text: string, values: readonly unknown[]): Statement {
    return { name: `${this.#table.name}.${verb}`, text, values }
  }

  #type(column: string): string {
    const type = this.#table.columns[column]
    if (type === undefined) throw new Error(`${this.#table.name} declares no column ${column}`)
    return type
  }
}

function condition({ column, type, test }: Filter, place: number): string {
  return test === 'equals' ? `${column} = $${place}::${type}` : `${column} @> array[$${place}::${type}]`
}
