import { allColumns, type Columns, isJson, type SqlType } from './columns.js'
import { isOf } from './owner.js'
import type { ResourceRow } from './row.js'

/*
 * How a statement reads no more bytes than it should: what is large is left in the database until it is known to fit. To find
 * out how long a compressed value is the database has to unpack it, so it goes from row to row, and stops.
 */

/** About as long as the JSON of a page may get, in bytes. A row that is longer is alone on its page. */
export const PAGE_BYTES = 524_288

/** What one statement unpacks, and one row more. The embedded database does that at some 20 MB/s, and no other statement meanwhile. */
export const STATEMENT_BYTES = { postgres: PAGE_BYTES, pglite: 65_536 } as const

/** A row of up to so many bytes is read without further ado: 100 of them are 200 kB, or 1.2 MB of control characters. */
const SMALL_BYTES = 2_000

/** Rows that were to be read at once are larger than that: they are to be read few by few. */
export class TooManyLargeError extends Error {}

const LARGE_TYPES: readonly SqlType[] = ['text', 'text[]', 'uuid[]', 'jsonb', 'json']

/** A row of {@link wholeIfSmall}: without its own columns unless `#is_whole`. */
export type MaybeRow = ResourceRow & { readonly '#is_whole': boolean }

/** A row of {@link selectWithin}, with the bytes of its text. */
export type CountedRow = ResourceRow & { readonly '#row_bytes': number | string | bigint }

function largeColumns(columns: Columns): string[] {
  return Object.keys(columns).filter((name) => LARGE_TYPES.some((type) => type === columns[name]))
}

/**
 * A column in the form it is read in, in the type that is declared here, whatever it has become in the table. JSON is text: it goes out as the
 * database writes it, and is parsed by nobody.
 */
export function readColumn(columns: Columns, name: string): string {
  return `${name}::${readType(columns, name)} as ${name}`
}

function readType(columns: Columns, name: string): SqlType | undefined {
  return isJson(columns[name]) ? 'text' : columns[name]
}

/**
 * For `select`: large columns only of rows that are small. Both sizes are known without unpacking anything.
 * @param columns with all that are asked for
 */
export function wholeIfSmall(columns: Columns): {
  readonly isWhole: string
  readonly column: (name: string) => string
} {
  const large = largeColumns(columns)
  const sizes = large.map((name) => `coalesce(pg_column_size(${name}), 0)`)
  const packed = large.map((name) => `pg_column_compression(${name})`)
  const isWhole =
    large.length === 0 ? 'true' : `coalesce(${packed.join(', ')}) is null and ${sizes.join(' + ')} <= ${SMALL_BYTES}`
  const column = (name: string): string => {
    if (!large.includes(name)) return readColumn(columns, name)
    return `case when ${isWhole} then ${name}::${readType(columns, name)} end as ${name}`
  }
  return { isWhole, column }
}

/**
 * The rows of the ids $2 of the user $1, in that order, until they are longer than $3 bytes together: the one that makes it so is
 * the last. Each row's text is made once.
 */
export function selectWithin(table: string, columns: Columns): string {
  const types = allColumns(columns)
  const names = Object.keys(types)
  const nothing = names.map((name) => `null::${readType(types, name)} as ${name}`)
  const lengths = largeColumns(columns).map((name) => {
    const text = isJson(columns[name]) ? name : `to_json(${name})::text`
    return `coalesce(octet_length(${text}), 0)`
  })
  // `limit 1` keeps the planner from merging the two levels, which would make each text twice.
  return `with recursive page as (
      select 0 as "#place", 0::bigint as "#row_bytes", 0::bigint as "#page_bytes", ${nothing.join(', ')}
      union all
      select "#place" + 1, coalesce("#bytes", 0), "#page_bytes" + coalesce("#bytes", 0), ${names.map((name) => `next.${name}`).join(', ')}
      from page left join lateral (
        select *, (${['0', ...lengths].join(' + ')})::bigint as "#bytes"
        from (
          select ${names.map((name) => readColumn(types, name)).join(', ')} from ${table}
          where id = ($2::uuid[])["#place" + 1] and ${isOf(table, '$1')} limit 1
        ) as unpacked
      ) as next on true
      where "#place" < cardinality($2::uuid[]) and "#page_bytes" <= $3::bigint
    )
    select ${names.join(', ')}, "#row_bytes" from page where id is not null order by "#place"`
}
