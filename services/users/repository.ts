import { type GivenTime, isoTime } from '../resource/sql/row.js'
import {
  type AllowedVersions,
  type Differing,
  type InTransaction,
  NEW_COLUMNS,
  newId,
  NOW,
  TRANSACTION,
  type Written,
  written,
} from '../resource/sql/rows.js'
import type { NewRow } from '../resource/sql/bulk-rows.js'
import { FIRST_ID, inOrder } from '../resource/sql/owner.js'
import { inSteps, type Steps } from '../resource/sql/steps.js'
import type { Queryable } from '../database/database.js'
import type { NewUser, User, UserChange } from './schema.js'

export type UserRow = Omit<User, 'version' | 'created_at' | 'updated_at'> & {
  readonly version: number | string | bigint
  readonly created_at: GivenTime
  readonly updated_at: GivenTime
}

/** Some twentieth of a second's work. */
const CHANGES_AT_ONCE = 5_000
const FIRST_CHANGE = { transaction: '0', row: FIRST_ID }

export type KeptOfUser = NonNullable<NewRow['own']>

export const USER_COLUMNS = [
  'id',
  'version',
  'email',
  'shop_name',
  'role',
  'subscription_plan',
  'is_active',
  'created_at',
  'updated_at',
] as const
const COLUMNS = USER_COLUMNS.join(', ')

export async function findUser(db: Queryable, id: string): Promise<User | undefined> {
  const [row] = await db.query<UserRow>({
    name: 'users.find',
    isPrepared: true,
    text: `select ${COLUMNS} from users where id = $1::uuid`,
    values: [id],
  })
  return row && toUser(row)
}

/** The user that has this address, in any case of its letters. */
export async function findUserByEmail(db: Queryable, email: string): Promise<User | undefined> {
  const [row] = await db.query<UserRow>({
    name: 'users.find-by-email',
    text: `select ${COLUMNS} from users where lower(email collate "C") = lower($1::text collate "C")`,
    values: [email],
  })
  return row && toUser(row)
}

/** Newest first. */
export async function listUsers(db: Queryable, after: string | undefined, limit: number): Promise<User[]> {
  const rows = await db.query<UserRow>({
    name: 'users.list',
    text: `select ${COLUMNS} from users where $1::uuid is null or id < $1::uuid order by id desc limit $2::integer`,
    values: [after ?? null, limit],
  })
  return rows.map(toUser)
}

/** @param own what the user keeps of the database that it comes from */
export async function insertUser(db: Queryable, user: NewUser, own: KeptOfUser = {}): Promise<Written<User>> {
  const [row] = await db.query<UserRow & InTransaction>({
    name: 'users.insert',
    text: `insert into users (${NEW_COLUMNS}, version, email, shop_name, role, subscription_plan, is_active)
      values (coalesce($6::uuid, ${newId(0)}), coalesce($7::timestamptz, ${NOW}), coalesce($8::timestamptz, ${NOW}),
        coalesce($9::bigint, 1), $1::text, $2::text, coalesce($3::text, 'member'), coalesce($4::text, 'free'),
        coalesce($5::boolean, true))
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [
      user.email,
      user.shop_name,
      ...[user.role, user.subscription_plan, user.is_active].map((value) => value ?? null),
      ...[own.id, own.created_at, own.updated_at, own.version].map((value) => value ?? null),
    ],
  })
  if (row === undefined) throw new Error('users: an insert returned no row')
  return writtenUser(row)
}

/** What a change writes: its values are parameters from `$2` on. */
const CHANGED = [
  ['email', 'text'],
  ['shop_name', 'text'],
  ['role', 'text'],
  ['subscription_plan', 'text'],
  ['is_active', 'boolean'],
] as const
const NAMES = CHANGED.map(([name]) => name).join(', ')
/** In one type on both sides: a column's own may have been changed by hand, and rows of unlike types can't be compared. */
const THERE = CHANGED.map(([name, type]) => `${name}::${type}`).join(', ')
/** No column of a user can be null: null keeps the value. */
const AFTERWARDS = CHANGED.map(([name, type], index) => `coalesce($${index + 2}::${type}, ${name}::${type})`).join(', ')
const DIFFERS = `record_image_ne(row(${THERE}), row(${AFTERWARDS}))`

function changeValues(change: UserChange): unknown[] {
  const { email, shop_name: shopName, role, subscription_plan: plan, is_active: isActive } = change
  return [email, shopName, role, plan, isActive].map((value) => value ?? null)
}

/** `undefined` when there is no such user in an allowed version, or it holds all that already. */
export async function updateUser(
  db: Queryable,
  id: string,
  change: UserChange,
  versions: AllowedVersions,
): Promise<Written<User> | undefined> {
  const [row] = await db.query<UserRow & InTransaction>({
    name: 'users.update',
    text: `update users set (${NAMES}) = row(${AFTERWARDS})
      where id = $1::uuid and ($7::bigint[] is null or version = any($7::bigint[])) and ${DIFFERS}
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [id, ...changeValues(change), versions ?? null],
  })
  return row && writtenUser(row)
}

/** The user as it is, and whether writing `change` would change it. */
export async function compareUser(
  db: Queryable,
  id: string,
  change: UserChange,
): Promise<{ readonly found: Written<User>; readonly differs: boolean } | undefined> {
  const [row] = await db.query<UserRow & InTransaction & Differing>({
    name: 'users.compare',
    text: `select ${COLUMNS}, ${TRANSACTION}, ${DIFFERS} as "#differs" from users where id = $1::uuid`,
    values: [id, ...changeValues(change)],
  })
  if (row === undefined) return undefined
  const { '#differs': differs, ...found } = row
  return { found: writtenUser(found, false), differs }
}

/**
 * Locks a user, so that no row of theirs can be added until the transaction ends.
 * @returns false when there is none in an allowed version
 */
export async function lockUser(db: Queryable, id: string, versions: AllowedVersions): Promise<boolean> {
  const rows = await db.query({
    name: 'users.lock',
    text: `select id from users where id = $1::uuid and ($2::bigint[] is null or version = any($2::bigint[])) for update`,
    values: [id, versions ?? null],
  })
  return rows.length > 0
}

/**
 * Deletes a user with every token and row of theirs. Rows are locked in the order of `resources` and go in the opposite one, so
 * that what refers to others goes first.
 * @returns the transaction
 */
export async function deleteUser(
  db: Queryable,
  id: string,
  resources: readonly { readonly name: string }[],
): Promise<number> {
  const tables = resources.map(({ name }) => name)
  for (const table of tables) await inSteps(db, { name: `${table}.lock-all`, ...rowsOf(table, id) })
  for (const table of tables.toReversed()) {
    const work = `delete from ${table} where id = any(array(select id from locked))`
    await inSteps(db, { name: `${table}.delete-all`, ...rowsOf(table, id), work })
  }
  // In one statement: the foreign key's cascade goes down a chain by recursion, but finds nothing where all of it goes at once.
  await db.query({ name: 'tokens.delete-all', text: 'delete from tokens where user_id = $1::uuid', values: [id] })
  await deleteChanges(db, id)
  const text = `delete from users where id = $1::uuid returning ${TRANSACTION}`
  const [row] = await db.query<InTransaction>({ name: 'users.delete', text, values: [id] })
  return Number(row?.['#transaction'])
}

/** All rows of a user, in the order of their ids. */
function rowsOf(table: string, id: string): Pick<Steps, 'table' | 'values' | 'ids'> {
  return {
    table,
    values: [id],
    ids: (from) => `select id from ${table} where ${inOrder('$1', '>=', from)} order by user_id, id`,
  }
}

/**
 * They go with their user by a trigger, in one statement: it is left nothing to do, since a follower's week of changes may be millions. The planner does
 * not see how many go at once: where it expects fewer it would read all of them each time, and sort them.
 */
async function deleteChanges(db: Queryable, userId: string): Promise<void> {
  for (let from: { transaction: string; row: string } | undefined = FIRST_CHANGE; from !== undefined;) {
    const last: { transaction: string; row: string }[] = await db.query({
      name: 'changes.delete-all',
      text: `with step as materialized (
          select ctid, changed_in, row_id from changes
          where (user_id, changed_in, row_id) >= ((select $1::uuid), $2::text::xid8, $3::uuid) and user_id <= (select $1::uuid)
          order by user_id, changed_in, row_id limit (select ${CHANGES_AT_ONCE})
        ), gone as (delete from changes where ctid = any(array(select ctid from step)))
        select changed_in::text as transaction, row_id as row from step order by changed_in, row_id offset ${CHANGES_AT_ONCE - 1} limit 1`,
      values: [userId, from.transaction, from.row],
    })
    from = last[0]
  }
}

function writtenUser(found: UserRow & InTransaction, isChanged = true): Written<User> {
  const { row, transaction } = written<UserRow>(found)
  return { row: toUser(row), transaction, isChanged }
}

export function toUser(row: UserRow): User {
  return {
    ...row,
    version: Number(row.version),
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
  }
}
