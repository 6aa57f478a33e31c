import type { Queryable } from '../../database/database.js'
import type { Total } from '../../documents/id-page.js'
import type { MaybeRow } from '../sql/bounded-rows.js'
import type { Selection } from './list-query.js'
import {
  countAmongQuery,
  countQuery,
  type ListTable,
  lookQuery,
  pageQuery,
  type Query,
  type Source,
  sourceQuery,
  sourcesOf,
} from './statements.js'

/** A row of a page, with the text of what the list is sorted by behind a sign. */
export type SortedRow = MaybeRow & { readonly '#sort_value': string }

/** Rows in order, a page of them or one more. */
type Found = readonly SortedRow[]

/** How many pages' worth of rows is read of each source, of which there are two at most, before the first rows in order are; and of these. */
const PAGES_OF_SOURCE = 2
const PAGES_IN_ORDER = 6
/** How many of what has changed, before all is read that fits but for that. */
const PAGES_OF_CHANGES = 20

/** How far the rows of a list are counted. */
export const MOST_COUNTED = 10_000

/**
 * Reads the rows of a page and one more. No plan of the database's is trusted to be the better one of two: those that fit may be few of many, or
 * most of them. So what an index has of them is read if it is little; else the first rows in order, if enough of those fit; and all that the index has,
 * which are the owner's own and no others, only if there are many that lie far down.
 */
export async function readPage(db: Queryable, table: ListTable, userId: string, selection: Selection): Promise<Found> {
  const page = selection.limit + 1
  const sources = sourcesOf(selection)
  const [first] = sources
  if (first === undefined) return run(db, table, 'list', pageQuery(table, userId, selection))
  for (const source of sources) {
    const found = await fewOf(db, table, userId, selection, source, PAGES_OF_SOURCE * page - 1)
    if (found !== undefined) return found
  }
  const [looked, isAll] = await firstOf(db, table, userId, selection, PAGES_IN_ORDER * page)
  if (isAll || looked.length > selection.limit) return looked
  for (const source of sources.slice(1)) {
    const found = await fewOf(db, table, userId, selection, source, PAGES_OF_CHANGES * page)
    if (found !== undefined) return found
  }
  return run(db, table, `list-by-${word(first)}`, sourceQuery(table, userId, selection, first))
}

/** What a source has; `undefined` when it has more than `most`. */
async function fewOf(
  db: Queryable,
  table: ListTable,
  userId: string,
  selection: Selection,
  source: Source,
  most: number,
): Promise<Found | undefined> {
  const query = sourceQuery(table, userId, selection, source, most)
  const rows = await run<SortedRow & { '#met': number | string }>(db, table, `list-few-by-${word(source)}`, query)
  return Number(rows[0]?.['#met'] ?? 0) > most ? undefined : rows
}

/** Those of the first `most` rows in order that fit, and whether there are no further ones. */
async function firstOf(
  db: Queryable,
  table: ListTable,
  userId: string,
  selection: Selection,
  most: number,
): Promise<[Found, boolean]> {
  const query = lookQuery(table, userId, selection, most)
  const rows = await run<SortedRow & { '#fits': boolean | null; '#nth': number | string }>(
    db,
    table,
    'list-look',
    query,
  )
  const isAll = Number(rows.at(-1)?.['#nth'] ?? 0) < most && rows.length < selection.limit + 2
  return [rows.filter((row) => row['#fits'] === true).slice(0, selection.limit + 1), isAll]
}

/**
 * How many rows the whole list has, wherever the page begins. The count does not see what the page saw: of a page that is all of the list nothing is
 * counted, and no list has fewer rows than its page shows.
 */
export async function readTotal(
  db: Queryable,
  table: ListTable,
  userId: string,
  selection: Selection,
  { ids, nextCursor }: { readonly ids: readonly string[]; readonly nextCursor: string | null },
): Promise<Total> {
  if (selection.after === undefined && nextCursor === null) return { total: ids.length, isExact: true }
  const counted = await countOf(db, table, userId, selection)
  const total = Math.max(counted, nextCursor === null ? ids.length : ids.length + 1)
  return { total: Math.min(total, MOST_COUNTED), isExact: total <= MOST_COUNTED }
}

/**
 * Up to where a total is counted. Where a time stands beside filters no index has both, and either alone may leave all rows of the owner: so one that
 * leaves little decides.
 */
async function countOf(db: Queryable, table: ListTable, userId: string, selection: Selection): Promise<number> {
  for (const source of sourcesOfCount(selection)) {
    const query = countAmongQuery(table, userId, selection, source, MOST_COUNTED)
    const verb = `list-count-few-by-${word(source)}`
    const [few] = await run<{ total: number; '#met': number }>(db, table, verb, query)
    if (few !== undefined && few['#met'] <= MOST_COUNTED) return few.total
  }
  const query = countQuery(table, userId, selection, MOST_COUNTED + 1)
  const [counted] = await run<{ total: number }>(db, table, 'list-count', query)
  return counted?.total ?? 0
}

/** To compare a row with words costs a hundred times what filters cost: their own index comes first, which may have few. */
function sourcesOfCount(selection: Selection): readonly Source[] {
  if (selection.updatedSince === undefined || sourcesOf(selection)[0] !== 'terms') return []
  return selection.words === undefined ? ['changes'] : ['terms', 'changes']
}

function run<Row extends object = SortedRow>(
  db: Queryable,
  { name }: ListTable,
  verb: string,
  query: Query,
): Promise<Row[]> {
  return db.query<Row>({ name: `${name}.${verb}`, ...query, isPrepared: true })
}

function word(source: Source): string {
  return source.replace(' ', '-')
}
