import type { ResourceDefinition } from '../definition.js'

/** What the rows of a list are sorted by before their id. */
export interface Order {
  readonly word: string
  /** SQL over the columns of a row, never null, and its type; absent where the id alone is the order: it begins with the time of creation. */
  readonly key?: { readonly sql: string; readonly type: string; readonly collation: string }
  /** SQL of the key as a text that {@link Order.isValue} takes and the database reads back as the same. */
  readonly text: string
  /** Whether a cursor's value is one. */
  readonly isValue: (text: string) => boolean
}

/** By its word. */
export type Orders = Readonly<Record<string, Order>>

/** What every resource can be sorted by; -created is the order of a list that names none. */
export const COMMON_ORDERS = ['created', 'updated']

const created: Order = { word: 'created', text: `''`, isValue: (text) => text === '' }

const MICROSECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

/** No 30th of February, which JavaScript takes for the 2nd of March, and no year 0, which the database does not know. */
function isThere(text: string): boolean {
  const time = Date.parse(text)
  return (
    !Number.isNaN(time) && !text.startsWith('0000') && new Date(time).toISOString().slice(0, 19) === text.slice(0, 19)
  )
}

/** A driver's dates end at milliseconds, and rows that one of these holds would be left out at the turn of a page. */
export const updated: Order = {
  word: 'updated',
  key: { sql: 'updated_at', type: 'timestamptz', collation: '' },
  text: `to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  isValue: (text) => MICROSECONDS.test(text) && isThere(text),
}

/** Longer than any key: it has 100 characters. */
const LONGEST_KEY = 200
const WHOLE_NUMBER = /^-?\d{1,19}$/
const LEAST = -(2n ** 63n)

/** Texts without letter case and accents, in the order of Unicode's code points: the same on every server, whatever its locale. */
function ofText(word: string, column: string): Order {
  const sql = `coalesce(list_key(list_fold(array[${column}])), '')`
  return {
    word,
    key: { sql, type: 'text', collation: ' collate "C"' },
    text: sql,
    isValue: (text) => text.length <= LONGEST_KEY && !text.includes('\0'),
  }
}

/** A row without the number comes before the least. */
function ofNumber(word: string, column: string): Order {
  const sql = `coalesce(${column}::bigint, '${LEAST}'::bigint)`
  return {
    word,
    key: { sql, type: 'bigint', collation: '' },
    text: `${sql}::text`,
    isValue: (text) => WHOLE_NUMBER.test(text) && BigInt(text) >= LEAST && BigInt(text) < -LEAST,
  }
}

/** @throws Error for an order by a column that is not there, or is neither text nor a whole number */
export function ordersOf({
  name,
  columns,
  sorts = {},
}: Pick<ResourceDefinition, 'name' | 'columns' | 'sorts'>): Orders {
  const own = Object.entries(sorts).map(([word, column]): [string, Order] => {
    const type = columns[column]
    if (type === 'text') return [word, ofText(word, column)]
    if (type === 'integer' || type === 'bigint') return [word, ofNumber(word, column)]
    throw new Error(`${name}: lists can not be sorted by ${column}: ${type ?? 'there is no such column'}`)
  })
  return { created, updated, ...Object.fromEntries(own) }
}
