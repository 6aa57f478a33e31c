import type { Database, Queryable } from '../database/database.js'
import {
  type CountedRow,
  type MaybeRow,
  selectWithin,
  STATEMENT_BYTES,
  wholeIfSmall,
} from '../resource/sql/bounded-rows.js'
import type { ResourceDefinition } from '../resource/definition.js'
import { externalField } from '../resource/external-field.js'
import { FIRST_ID, inOrder, isOf } from '../resource/sql/owner.js'
import { type Reference, referencesOf } from '../resource/sql/references.js'
import { exactTime, type ResourceRow } from '../resource/sql/row.js'
import { rowSerializerOf } from '../resource/sql/row-json.js'

/** Rows of one statement. The embedded database does no other meanwhile. */
const PAGE_ROWS = { postgres: 500, pglite: 100 } as const
/** About how long a chunk of lines gets, in characters. */
const CHUNK_LENGTH = 262_144

/** Reads the rows of one resource as JSON lines that an import takes. */
export class RowExport {
  readonly #definition: ResourceDefinition
  readonly #references: readonly Reference[]
  readonly #kind: Database['kind']
  readonly #serialize: (row: ResourceRow) => string
  readonly #selectPage: string
  readonly #unpack: string

  /** @param kind of the database that is read */
  constructor(definition: ResourceDefinition, resources: readonly ResourceDefinition[], kind: Database['kind']) {
    const { name, columns } = definition
    this.#definition = definition
    this.#references = referencesOf(definition, resources)
    this.#kind = kind
    this.#serialize = rowSerializerOf(definition)
    const { isWhole, column } = wholeIfSmall(columns)
    const selected = [
      'id, user_id, version',
      ...Object.keys(columns).map(column),
      ...['created_at', 'updated_at'].map(exactTime),
      `${isWhole} as "#is_whole"`,
    ]
    this.#selectPage = `select ${selected.join(', ')} from ${name}`
    this.#unpack = selectWithin(name, columns)
  }

  /**
   * The lines of one user in chunks, the oldest row first: rows that are made again in this order are listed in the same one.
   * @param marks fields that each line has besides
   */
  async *chunks(db: Queryable, userId: string, marks: object = {}): AsyncGenerator<string> {
    const start = `{"kind":${JSON.stringify(this.#definition.kind)},${textOf(marks)}`
    let rows: ResourceRow[] = []
    let length = 0
    for await (const row of this.#rows(db, userId)) {
      rows.push(row)
      length += lengthOf(row)
      if (length < CHUNK_LENGTH && rows.length < PAGE_ROWS[this.#kind]) continue
      yield this.#lines(rows, start, await this.#names(db, userId, rows))
      rows = []
      length = 0
    }
    if (rows.length > 0) yield this.#lines(rows, start, await this.#names(db, userId, rows))
  }

  /** By their ids. Of those that are large only as many are read at once as a list reads. */
  async *#rows(db: Queryable, userId: string): AsyncGenerator<ResourceRow> {
    const limit = PAGE_ROWS[this.#kind]
    for (let last: string | undefined; ;) {
      const text = `${this.#selectPage} where ${inOrder('$1', last === undefined ? '>=' : '>', '$3')} order by user_id, id limit $2::integer`
      const values = [userId, limit, last ?? FIRST_ID]
      const page = await db.query<MaybeRow>({ name: `${this.#definition.name}.export`, text, values })
      const unpacked = new Map<string, CountedRow>()
      for (const [index, { '#is_whole': isWhole, ...row }] of page.entries()) {
        if (!isWhole && !unpacked.has(row.id)) {
          const large = page.slice(index).filter((one) => !one['#is_whole'])
          for (const one of await this.#large(
            db,
            userId,
            large.map(({ id }) => id),
          ))
            unpacked.set(one.id, one)
        }
        const whole = isWhole ? row : unpacked.get(row.id)
        unpacked.delete(row.id)
        // Without a snapshot one that was deleted since is left out.
        if (whole !== undefined) yield { ...whole, created_at: row.created_at, updated_at: row.updated_at }
      }
      last = page.at(-1)?.id
      if (last === undefined || page.length < limit) return
    }
  }

  #large(db: Queryable, userId: string, ids: readonly string[]): Promise<CountedRow[]> {
    const values = [userId, ids, STATEMENT_BYTES[this.#kind]]
    return db.query<CountedRow>({ name: `${this.#definition.name}.export-large`, text: this.#unpack, values })
  }

  /** The external_ids of what the rows refer to, by table and id. */
  async #names(db: Queryable, userId: string, rows: readonly ResourceRow[]): Promise<ReadonlyMap<string, string>> {
    const names = new Map<string, string>()
    for (const { column, table } of this.#references) {
      const ids = [...new Set(rows.flatMap((row) => idsIn(row[column])))]
      if (ids.length === 0) continue
      const found = await db.query<{ id: string; external_id: string }>({
        name: `${table}.export-names`,
        text: `select found.id, found.external_id from unnest($2::uuid[]) as wanted (id) cross join lateral (
            select id, external_id from ${table}
            where id = wanted.id and ${isOf(table, '$1')} and external_id is not null limit 1) as found`,
        values: [userId, ids],
      })
      for (const { id, external_id: externalId } of found) names.set(`${table} ${id}`, externalId)
    }
    return names
  }

  #lines(rows: readonly ResourceRow[], start: string, names: ReadonlyMap<string, string>): string {
    const lines = rows.map((row) => {
      const named = this.#references.flatMap(({ column, table }) => {
        const value = idsIn(row[column]).map((id) => names.get(`${table} ${id}`) ?? null)
        if (value.every((name) => name === null)) return []
        return [
          `,${JSON.stringify(externalField(column))}:${JSON.stringify(Array.isArray(row[column]) ? value : value[0])}`,
        ]
      })
      return `${start}${this.#serialize(row).slice(1, -1)}${named.join('')}}\n`
    })
    return lines.join('')
  }
}

function textOf(marks: object): string {
  return Object.entries(marks)
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)},`)
    .join('')
}

/** About how long its line will be. */
function lengthOf(row: ResourceRow): number {
  return Object.values(row).reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 20), 0)
}

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? [value] : []
}
