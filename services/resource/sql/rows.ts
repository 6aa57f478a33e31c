import type { Database, Queryable, Statement } from '../../database/database.js'
import {
  type CountedRow,
  type MaybeRow,
  PAGE_BYTES,
  readColumn,
  selectWithin,
  STATEMENT_BYTES,
  TooManyLargeError,
  wholeIfSmall,
} from './bounded-rows.js'
import { allColumns, type ColumnValues, DEFAULT, type SqlType } from './columns.js'
import { ColumnDefaults } from './defaults.js'
import type { Selection } from '../lists/list-query.js'
import { readPage, readTotal } from '../lists/reading.js'
import { idsOf, type RowPage } from '../lists/row-page.js'
import type { ListTable } from '../lists/statements.js'
import { termsOf } from '../lists/terms.js'
import type { ResourceDefinition } from '../definition.js'
import { among, isOf } from './owner.js'
import type { ResourceRow } from './row.js'

/** Versions that If-Match allows; `undefined` allows any. */
export type AllowedVersions = readonly number[] | undefined

/** The row as it is now, and the transaction that wrote or read it: who has seen that one has seen the row. */
export interface Written<Row> {
  readonly row: Row
  readonly transaction: number
  /** False when the row held already what was to be written: nothing was, and no replica is to be told. */
  readonly isChanged: boolean
}

/** A row that a user asks for. */
export interface WantedRow {
  readonly userId: string
  /** In lower case. */
  readonly id: string
}

/** By what a caller knows a row. */
export type RowKey = { readonly id: string } | { readonly externalId: string }

export interface InTransaction {
  readonly '#transaction': string
}

/** Whether what is to be written differs from what is there. */
export interface Differing {
  readonly '#differs': boolean
}

/** For `returning`. */
export const TRANSACTION = 'pg_current_xact_id()::text as "#transaction"'

export function written<Row extends object>(
  { '#transaction': transaction, ...row }: Row & InTransaction,
  isChanged = true,
): Written<Row> {
  return { row: row as unknown as Row, transaction: Number(transaction), isChanged }
}

/**
 * What the database itself gives a new row: its id and its times, all by the one moment at which the statement arrived there. Lists are
 * ordered by the id, so a replica's clock decides nothing.
 */
export const NEW_COLUMNS = 'id, created_at, updated_at'

/** The moment at which the statement arrived. */
export const NOW = 'statement_timestamp()'

/** @param nth of the rows that one statement inserts: the number, or SQL for it */
export function newId(nth: number | string): string {
  return `new_row_id(${nth})`
}

/** The values of {@link NEW_COLUMNS}. */
export function newValues(nth = 0): string {
  return `${newId(nth)}, ${NOW}, ${NOW}`
}

type Table = Pick<ResourceDefinition, 'name' | 'columns' | 'filters' | 'search'>

/**
 * The SQL of one resource. Every statement names the owner, so that another user's row is the same as no row.
 * Lock order across tables is that of services/domains.ts, in each table by id; another order can deadlock.
 */
export class ResourceRows {
  readonly #table: Table
  readonly defaults: ColumnDefaults
  readonly #columns: string
  /** The same, without what is large: {@link wholeIfSmall}. */
  readonly #smallColumns: string
  readonly #selectWithin: string
  readonly #statementBytes: number
  readonly #listed: ListTable

  /** @param kind of the database that is asked */
  constructor(table: Table, kind: Database['kind']) {
    this.#table = table
    this.defaults = new ColumnDefaults(table.name)
    this.#statementBytes = STATEMENT_BYTES[kind]
    const { name, columns } = table
    const all = allColumns(columns)
    const { isWhole, column } = wholeIfSmall(all)
    this.#columns = Object.keys(all)
      .map((each) => readColumn(all, each))
      .join(', ')
    this.#smallColumns = `${Object.keys(all).map(column).join(', ')}, ${isWhole} as "#is_whole"`
    this.#selectWithin = selectWithin(name, columns)
    this.#listed = { name, columns: this.#smallColumns, terms: termsOf(table) }
  }

  async find(db: Queryable, userId: string, id: string): Promise<ResourceRow | undefined> {
    const text = `select ${this.#columns} from ${this.#table.name} where id = $2::uuid and ${isOf(this.#table.name, '$1')}`
    const [row] = await db.query<ResourceRow>(this.#statement('find', text, [userId, id]))
    return row
  }

  async ownerOf(db: Queryable, id: string): Promise<string | undefined> {
    const text = `select user_id from ${this.#table.name} where id = $1::uuid`
    const [row] = await db.query<Pick<ResourceRow, 'user_id'>>(this.#statement('owner', text, [id]))
    return row?.user_id
  }

  async findByExternalId(db: Queryable, userId: string, externalId: string): Promise<ResourceRow | undefined> {
    const text = `select ${this.#columns} from ${this.#table.name} where ${among('$1')} and external_id = $2::text`
    const [row] = await db.query<ResourceRow>(this.#statement('find-by-external-id', text, [userId, externalId]))
    return row
  }

  /** Rows of whatever users, in that order, by one statement; by one more for each that is large. */
  async findWanted(db: Queryable, wanted: readonly WantedRow[]): Promise<(ResourceRow | undefined)[]> {
    const [only] = wanted
    if (only !== undefined && wanted.length === 1) return [await this.find(db, only.userId, only.id)]
    const text = `select ${this.#smallColumns} from ${this.#table.name} where id = any($1::uuid[])`
    const found = await db.query<MaybeRow>(this.#statement('find-wanted', text, [wanted.map(({ id }) => id)]))
    const rows = new Map(found.map((row) => [row.id, row]))
    return Promise.all(
      wanted.map(async ({ userId, id }) => {
        const row = rows.get(id)
        if (row?.user_id !== userId.toLowerCase()) return undefined
        return row['#is_whole'] ? row : this.find(db, userId, id)
      }),
    )
  }

  /** The rows of `ids` that are there and the user's, in no order; by several statements if they are large. @throws TooManyLargeError */
  async findMany(db: Queryable, userId: string, ids: readonly string[], mostLarge: number): Promise<ResourceRow[]> {
    const found = await this.findSmall(db, userId, ids)
    const rows: ResourceRow[] = found.filter(({ '#is_whole': isWhole }) => isWhole)
    const large = found.filter(({ '#is_whole': isWhole }) => !isWhole).map(({ id }) => id)
    if (large.length > mostLarge) throw new TooManyLargeError()
    for await (const row of this.unpacked(db, userId, large)) rows.push(row)
    return rows
  }

  /** Those of `ids` that are there, in no order, in one statement; of a large one little more than its version. */
  findSmall(db: Queryable, userId: string, ids: readonly string[]): Promise<MaybeRow[]> {
    const text = `select ${this.#smallColumns} from ${this.#table.name} where id = any($2::uuid[]) and ${isOf(this.#table.name, '$1')}`
    return db.query<MaybeRow>(this.#statement('find-many', text, [userId, ids]))
  }

  /** One page, in the selection's order: which rows it has, and the rows up to where it gets too long. */
  async list(db: Queryable, userId: string, selection: Selection): Promise<RowPage> {
    const page = await this.#page(db, userId, selection)
    return selection.isCounted ? { ...page, total: await readTotal(db, this.#listed, userId, selection, page) } : page
  }

  async #page(db: Queryable, userId: string, selection: Selection): Promise<RowPage> {
    const sorted = await readPage(db, this.#listed, userId, selection)
    const page = idsOf(selection, sorted)
    const { ids } = page
    if (page.isShort) return { ...page, rows: sorted.slice(0, ids.length), end: ids.length }
    const rows: ResourceRow[] = []
    let bytes = 0
    for await (const row of this.unpacked(db, userId, ids)) {
      bytes += Number(row['#row_bytes'])
      if (bytes > PAGE_BYTES && rows.length > 0) return { ...page, rows, end: ids.indexOf(row.id) }
      rows.push(row)
    }
    return { ...page, rows, end: ids.length }
  }

  /** The rows of `ids` that are there, in that order, by as many statements as it takes to unpack only so much at once. */
  async *unpacked(db: Queryable, userId: string, ids: readonly string[]): AsyncGenerator<CountedRow> {
    for (let left = ids; left.length > 0;) {
      const values = [userId, left, this.#statementBytes]
      const rows = await db.query<CountedRow>(this.#statement('unpack', this.#selectWithin, values))
      yield* rows
      const last = rows.at(-1)
      left = last === undefined ? [] : left.slice(left.indexOf(last.id) + 1)
    }
  }

  async insert(db: Queryable, userId: string, columns: ColumnValues): Promise<Written<ResourceRow>> {
    const given = Object.entries(columns).filter(([, value]) => value !== DEFAULT)
    const names = given.map(([name]) => name)
    const places = names.map((name, index) => `$${index + 2}::${this.#type(name)}`)
    const text = `insert into ${this.#table.name} (${[NEW_COLUMNS, 'user_id', ...names].join(', ')})
      values (${[newValues(), '$1::uuid', ...places].join(', ')}) returning ${this.#columns}, ${TRANSACTION}`
    const values = [userId, ...given.map(([, value]) => value)]
    const [row] = await db.query<ResourceRow & InTransaction>(this.#statement('insert', text, values))
    if (row === undefined) throw new Error(`${this.#table.name}: an insert returned no row`)
    return written(row)
  }

  /**
   * `undefined` when there is no such row in an allowed version, or it holds all that already: compared under the row's lock, so one
   * writer wins. The database itself moves `version` and `updated_at`.
   */
  async update(
    db: Queryable,
    userId: string,
    id: string,
    columns: ColumnValues,
    versions: AllowedVersions,
  ): Promise<Written<ResourceRow> | undefined> {
    const values: unknown[] = [id, userId, versions ?? null]
    const wanted = await this.#wanted(db, columns, values)
    const changes = Object.entries(wanted).map(([name, value]) => `${name} = ${value}`)
    const text = `update ${this.#table.name} set ${changes.join(', ')}
      where id = $1::uuid and ${isOf(this.#table.name, '$2')} and ($3::bigint[] is null or version = any($3::bigint[]))
        and ${this.#differs(wanted)}
      returning ${this.#columns}, ${TRANSACTION}`
    const [row] = await db.query<ResourceRow & InTransaction>(this.#statement('update', text, values))
    return row && written(row)
  }

  /** The row as it is, and whether writing `columns` would change it. */
  async compare(
    db: Queryable,
    userId: string,
    id: string,
    columns: ColumnValues,
  ): Promise<{ readonly found: Written<ResourceRow>; readonly differs: boolean } | undefined> {
    const values: unknown[] = [id, userId]
    const wanted = await this.#wanted(db, columns, values)
    const text = `select ${this.#columns}, ${TRANSACTION}, ${this.#differs(wanted)} as "#differs"
      from ${this.#table.name} where id = $1::uuid and ${isOf(this.#table.name, '$2')}`
    const [row] = await db.query<ResourceRow & InTransaction & Differing>(this.#statement('compare', text, values))
    if (row === undefined) return undefined
    const { '#differs': differs, ...found } = row
    return { found: written<ResourceRow>(found, false), differs }
  }

  /** Locks the row until the transaction ends; false when there is none in an allowed version. */
  async lock(db: Queryable, userId: string, id: string, versions: AllowedVersions): Promise<boolean> {
    const text = `select id from ${this.#table.name} where id = $1::uuid and ${isOf(this.#table.name, '$2')}
      and ($3::bigint[] is null or version = any($3::bigint[])) for update`
    const rows = await db.query(this.#statement('lock', text, [id, userId, versions ?? null]))
    return rows.length > 0
  }

  /** The row as it is, locked until the transaction ends. */
  async lockWhole(db: Queryable, userId: string, key: RowKey): Promise<Written<ResourceRow> | undefined> {
    const [name, value] = 'id' in key ? ['id', key.id] : ['external-id', key.externalId]
    const test = 'id' in key ? `id = $2 and ${isOf(this.#table.name, '$1')}` : `${among('$1')} and external_id = $2`
    const text = `select ${this.#columns}, ${TRANSACTION} from ${this.#table.name} where ${test} for update`
    const [row] = await db.query<ResourceRow & InTransaction>(this.#statement(`lock-by-${name}`, text, [userId, value]))
    return row && written<ResourceRow>(row, false)
  }

  /** The transaction that deleted the row; `undefined` when there is none in an allowed version. */
  async delete(db: Queryable, userId: string, id: string, versions: AllowedVersions): Promise<number | undefined> {
    const text = `delete from ${this.#table.name} where id = $1::uuid and ${isOf(this.#table.name, '$2')}
      and ($3::bigint[] is null or version = any($3::bigint[])) returning ${TRANSACTION}`
    const [row] = await db.query<InTransaction>(this.#statement('delete', text, [id, userId, versions ?? null]))
    return row && Number(row['#transaction'])
  }

  /** What the columns are to be, as SQL: parameters, which are added to `values`, or the table's defaults. */
  async #wanted(db: Queryable, columns: ColumnValues, values: unknown[]): Promise<Readonly<Record<string, string>>> {
    const defaults = await this.defaults.of(db, columns)
    const wanted = Object.entries(columns).map(([name, value]) => {
      const sql = value === DEFAULT ? `(${defaults[name] ?? 'null'})` : `$${values.push(value)}`
      return [name, `${sql}::${this.#type(name)}`]
    })
    return Object.fromEntries(wanted)
  }

  /**
   * Compared by bytes, as the trigger that owns `version` does. In the declared types on both sides: a column's own may have been
   * changed by hand, and rows of unlike types can't be compared.
   */
  #differs(wanted: Readonly<Record<string, string>>): string {
    const there = Object.keys(wanted).map((name) => `${name}::${this.#type(name)}`)
    return `record_image_ne(row(${there.join(', ')}), row(${Object.values(wanted).join(', ')}))`
  }

  #statement(verb: string, text: string, values: readonly unknown[]): Statement {
    return { name: `${this.#table.name}.${verb}`, text, values, isPrepared: true }
  }

  #type(column: string): SqlType {
    const type = this.#table.columns[column]
    if (type === undefined) throw new Error(`${this.#table.name} declares no column ${column}`)
    return type
  }
}
