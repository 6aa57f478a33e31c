/*
 * How statements name the owner. To the planner that is a value like others. While its statistics do not know a user, or where users have a row each
 * by them, any index that begins with user_id promises as few rows as the right one, and all rows of the user are read for each of those that are
 * wanted. Where a user has a good part of the table, an index without the owner promises theirs sooner, and everybody's rows are read.
 */

/** For `where`: rows of the user at that place, found by what else is asked of them, as by their ids. It is a condition that no index can take. */
export function isOf(there: string, place: string): string {
  return `${there}.user_id is not distinct from ${place}::uuid`
}

/**
 * For `where`: rows of the user at that place, found by an index that begins with the owner and goes on with what else is asked, or with the order, which
 * has to begin with user_id too. Of an array the planner does not know the length: such an index is worth more to it than one that has the owner alone.
 */
export function among(place: string): string {
  return `user_id = any((select array[${place}::uuid])::uuid[])`
}

/** Before every id. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/**
 * For `where`, with `order by user_id, id`: rows of the user at that place by their ids. The owner stands before the id, since an index of ids alone has
 * everybody's rows from there on.
 */
export function inOrder(place: string, sign: '>=' | '>', from: string): string {
  return `${among(place)} and (user_id, id) ${sign} ((select ${place}::uuid), ${from}::uuid)`
}

/** The ids of the rows that the user $1 has by the external_ids $2, each looked up by itself. */
export function idsByExternalId(table: string): string {
  return `select found.id from unnest($2::text[]) as wanted (external_id) cross join lateral (
      select id from ${table} where ${among('$1')} and external_id = wanted.external_id offset 0) as found`
}
