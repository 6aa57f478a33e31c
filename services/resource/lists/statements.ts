import { among } from '../sql/owner.js'
import type { Match, Selection } from './list-query.js'
import { updated } from './orders.js'
import { Parameters } from './parameters.js'
import { comparison, isToCompare, termQuery } from './terms.js'

/*
 * The statements of lists. To the planner an owner is a value like others, and it takes an index without it where somebody has a good part of the
 * table: then everybody's rows are read. So no statement leaves it the choice.
 * - Rows in order come by an array of owners whose length it does not know, and `order by user_id, …`. Only an index that begins with the owner and
 *   goes on with the order gives these without sorting what it takes for the rows of many.
 * - Rows by their terms come out of a subquery that `offset 0` or `limit` keeps apart, in which the terms alone are asked for.
 * - Where a page begins and how many rows are wanted is unseen ({@link Parameters.unseen}). By statistics that do not know the owner, or know users of
 *   few rows, it would rather read all rows of the owner and sort them, for one page.
 * The plans are the same for every owner, and with values as without (`npm run bench -- plans` counts the rows of both).
 */

/** What they are about: how a row is written out, and by what it is found. */
export interface ListTable {
  readonly name: string
  /** Of one row, small: {@link wholeIfSmall}. */
  readonly columns: string
  /** {@link termsOf} */
  readonly terms: string | undefined
}

export interface Query {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Where rows come from that are then sorted: an index on something else than the order. */
export type Source = 'external id' | 'terms' | 'changes'

/** Those that a selection offers, the narrowest first. */
export function sourcesOf({ externalId, words, matches, updatedSince, order }: Selection): readonly Source[] {
  if (externalId !== undefined) return ['external id']
  const sources: Source[] = words !== undefined || matches.length > 0 ? ['terms'] : []
  return updatedSince === undefined || order.word === 'updated' ? sources : [...sources, 'changes']
}

/** The rows of a page and one more, in order, where nothing but the order narrows the list. */
export function pageQuery(table: ListTable, userId: string, selection: Selection): Query {
  const parameters = new Parameters()
  const owner = parameters.place(userId, 'uuid')
  const text = `select ${table.columns}, ${sortValue(selection)} from ${table.name}
    where ${range(selection, owner, parameters)} order by ${orderBy(selection)}
    limit ${parameters.unseen(selection.limit + 1, 'integer')}`
  return { text, values: parameters.values }
}

/**
 * The first `most` rows in order, of them those that fit, no more than a page and one; and the last of `most`, which says that there may be
 * further ones, whether it fits (`#fits`) or not.
 */
export function lookQuery(table: ListTable, userId: string, selection: Selection, most: number): Query {
  const parameters = new Parameters()
  const owner = parameters.place(userId, 'uuid')
  const last = parameters.unseen(most, 'integer')
  const text = `select ${table.columns}, "#sort_value", "#fits", "#nth" from (
      select *, row_number() over () as "#nth" from (
        select *, ${sortValue(selection)}, ${fits(table, selection, owner, parameters)} as "#fits" from ${table.name}
        where ${range(selection, owner, parameters)} order by ${orderBy(selection)} limit ${last}
      ) as looked
    ) as ${table.name} where "#fits" or "#nth" = ${last} limit ${parameters.unseen(selection.limit + 2, 'integer')}`
  return { text, values: parameters.values }
}

/**
 * The rows of a page and one more, from all that a source has; with `most` only if it has no more than that: else anything, with a `#met` above
 * `most` in every row.
 */
export function sourceQuery(
  table: ListTable,
  userId: string,
  selection: Selection,
  source: Source,
  most?: number,
): Query {
  const parameters = new Parameters()
  const owner = parameters.place(userId, 'uuid')
  const cut = most === undefined ? 'offset 0' : `limit ${parameters.unseen(most + 1, 'integer')}`
  const found = `select * from ${table.name} where ${sourceOf(table, selection, source, owner, parameters)} ${cut}`
  const conditions = [...rest(table, selection, source, owner, parameters), ...beyond(selection, parameters)].join(
    ' and ',
  )
  const met = most === undefined ? '0' : '"#met"'
  const from = most === undefined ? found : `select *, count(*) over () as "#met" from (${found}) as found`
  const isOver = most === undefined ? '' : `"#met" > ${parameters.place(most, 'integer')} or `
  const text = `select ${table.columns}, ${sortValue(selection)}, ${met} as "#met"
    from (${from}) as ${table.name} where ${isOver}(${conditions})
    order by ${sorting(selection)} limit ${parameters.unseen(selection.limit + 1, 'integer')}`
  return { text, values: parameters.values }
}

/** How many rows the whole list has, counted no further than `most`. */
export function countQuery(table: ListTable, userId: string, selection: Selection, most: number): Query {
  const parameters = new Parameters()
  const owner = parameters.place(userId, 'uuid')
  const whole = { ...selection, after: undefined }
  const [source] = sourcesOf(selection)
  const limit = parameters.unseen(most, 'integer')
  if (source === undefined) {
    const rows = `select from ${table.name} where ${range(whole, owner, parameters)} order by ${orderBy(whole)} limit ${limit}`
    return { text: `select count(*)::integer as total from (${rows}) as counted`, values: parameters.values }
  }
  const found = `select * from ${table.name} where ${sourceOf(table, selection, source, owner, parameters)} offset 0`
  const conditions = rest(table, selection, source, owner, parameters).join(' and ')
  const text = `select count(*)::integer as total from (
    select from (${found}) as ${table.name} where ${conditions} limit ${limit}) as counted`
  return { text, values: parameters.values }
}

/** How many rows of the list a source has among `most` and one more, and how many it has of these in all (`#met`). */
export function countAmongQuery(
  table: ListTable,
  userId: string,
  selection: Selection,
  source: Source,
  most: number,
): Query {
  const parameters = new Parameters()
  const owner = parameters.place(userId, 'uuid')
  const of = sourceOf(table, selection, source, owner, parameters)
  const found = `select * from ${table.name} where ${of} limit ${parameters.unseen(most + 1, 'integer')}`
  const conditions = rest(table, selection, source, owner, parameters).join(' and ')
  const text = `select count(*)::integer as "#met", (count(*) filter (where ${conditions}))::integer as total
    from (${found}) as ${table.name}`
  return { text, values: parameters.values }
}

/** The owner's rows from the position on, in the terms of the index of this order. */
function range(selection: Selection, owner: string, parameters: Parameters): string {
  const { order, updatedSince } = selection
  const since = order.word === 'updated' ? updatedSince : undefined
  return [
    among(owner),
    ...(since === undefined ? [] : [`updated_at >= ${parameters.unseen(since, 'timestamptz')}`]),
    ...beyond(selection, parameters),
  ].join(' and ')
}

/** What comes after the row that the page begins after. */
function beyond({ order: { key }, isDescending, after }: Selection, parameters: Parameters): string[] {
  if (after === undefined) return []
  const sign = isDescending ? '<' : '>'
  const id = parameters.unseen(after.id, 'uuid')
  if (key === undefined) return [`id ${sign} ${id}`]
  const value = parameters.unseen(after.value, key.type)
  return [`(${key.sql}${key.collation}, id) ${sign} (${value}${key.collation}, ${id})`]
}

/** Behind a sign, for {@link SortedRow}: the client of the embedded database drops a byte order mark (U+FEFF) that a text begins with, and a key may. */
function sortValue({ order }: Selection): string {
  return `'=' || ${order.text} as "#sort_value"`
}

function orderBy(selection: Selection): string {
  return `user_id${direction(selection)}, ${sorting(selection)}`
}

function sorting({ order: { key }, isDescending }: Selection): string {
  const keys = key === undefined ? ['id'] : [`${key.sql}${key.collation}`, 'id']
  return keys.map((column) => `${column}${direction({ isDescending })}`).join(', ')
}

function direction({ isDescending }: Pick<Selection, 'isDescending'>): string {
  return isDescending ? ' desc' : ''
}

function sourceOf(
  table: ListTable,
  selection: Selection,
  source: Source,
  owner: string,
  parameters: Parameters,
): string {
  switch (source) {
    case 'external id':
      return `${among(owner)} and external_id = ${parameters.place(selection.externalId, 'text')}`
    case 'terms':
      return `${table.terms} @@ (${termQuery(selection, owner, parameters)})`
    case 'changes': {
      const changes = { ...selection, order: updated, isDescending: true, after: undefined }
      return `${range(changes, owner, parameters)} order by ${orderBy(changes)}`
    }
  }
}

/** What is still to be asked of the rows of a source. */
function rest(table: ListTable, selection: Selection, source: Source, owner: string, parameters: Parameters): string[] {
  const { matches, updatedSince } = selection
  const compared = source === 'terms' ? matches.filter(({ filter }) => isToCompare(filter)) : matches
  const isSince = updatedSince !== undefined && source !== 'changes'
  const own = [`user_id = ${owner}`, ...comparisons(compared, isSince ? updatedSince : undefined, parameters)]
  return source === 'terms' ? own : [...own, ...holdsWords(table, selection, owner, parameters)]
}

/** Whether a row fits, asked of the row itself. */
function fits(table: ListTable, selection: Selection, owner: string, parameters: Parameters): string {
  const { matches, updatedSince, order } = selection
  const since = order.word === 'updated' ? undefined : updatedSince
  // What is cheap comes first; the planner keeps the order of what costs it the same.
  return ['true', ...comparisons(matches, since, parameters), ...holdsWords(table, selection, owner, parameters)].join(
    ' and ',
  )
}

/** The terms of a row are made for this. */
function holdsWords(table: ListTable, selection: Selection, owner: string, parameters: Parameters): string[] {
  if (selection.words === undefined) return []
  return [`${table.terms} @@ (${termQuery({ ...selection, matches: [] }, owner, parameters)})`]
}

function comparisons(matches: readonly Match[], since: string | undefined, parameters: Parameters): string[] {
  const own = matches.map((match) => comparison(match, parameters))
  return since === undefined ? own : [`updated_at >= ${parameters.place(since, 'timestamptz')}`, ...own]
}
