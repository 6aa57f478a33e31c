import { isoTime } from '../resource/row.js'
import { type AllowedVersions, type InTransaction, TRANSACTION, type Written, written } from '../resource/rows.js'
import type { Queryable } from '../database/database.js'
import type { NewUser, User, UserChange } from './schema.js'

type UserRow = Omit<User, 'version' | 'created_at' | 'updated_at'> & {
  readonly version: number | string | bigint
  readonly created_at: Date | string
  readonly updated_at: Date | string
}

const COLUMNS = 'id, version, email, shop_name, role, subscription_plan, is_active, created_at, updated_at'

export async function findUser(db: Queryable, id: string): Promise<User | undefined> {
  const [row] = await db.query<UserRow>({
    name: 'users.find',
    text: `select ${COLUMNS} from users where id = $1::uuid`,
    values: [id],
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

export async function insertUser(db: Queryable, id: string, user: NewUser): Promise<Written<User>> {
  const [row] = await db.query<UserRow & InTransaction>({
    name: 'users.insert',
    text: `insert into users (id, email, shop_name, role, subscription_plan, is_active)
      values ($1::uuid, $2::text, $3::text, coalesce($4::text, 'member'), coalesce($5::text, 'free'),
        coalesce($6::boolean, true))
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [id, user.email, user.shop_name, user.role ?? null, user.subscription_plan ?? null, user.is_active ?? null],
  })
  if (row === undefined) throw new Error('users: an insert returned no row')
  return writtenUser(row)
}

/** `undefined` when there is no such user in an allowed version. No column of a user can be null: null keeps the value. */
export async function updateUser(
  db: Queryable,
  id: string,
  change: UserChange,
  versions: AllowedVersions,
): Promise<Written<User> | undefined> {
  const { email, shop_name: shopName, role, subscription_plan: plan, is_active: isActive } = change
  const [row] = await db.query<UserRow & InTransaction>({
    name: 'users.update',
    text: `update users set email = coalesce($3::text, email), shop_name = coalesce($4::text, shop_name),
        role = coalesce($5::text, role), subscription_plan = coalesce($6::text, subscription_plan),
        is_active = coalesce($7::boolean, is_active)
      where id = $1::uuid and ($2::bigint[] is null or version = any($2::bigint[]))
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [id, versions ?? null, email ?? null, shopName ?? null, role ?? null, plan ?? null, isActive ?? null],
  })
  return row && writtenUser(row)
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
  for (const table of tables) {
    const text = `select id from ${table} where user_id = $1::uuid order by id for update`
    await db.query({ name: `${table}.lock-all`, text, values: [id] })
  }
  for (const table of [...tables.toReversed(), 'tokens']) {
    const text = `delete from ${table} where user_id = $1::uuid`
    await db.query({ name: `${table}.delete-all`, text, values: [id] })
  }
  const text = `delete from users where id = $1::uuid returning ${TRANSACTION}`
  const [row] = await db.query<InTransaction>({ name: 'users.delete', text, values: [id] })
  return Number(row?.transaction)
}

function writtenUser(inserted: UserRow & InTransaction): Written<User> {
  const { row, transaction } = written<UserRow>(inserted)
  return { row: toUser(row), transaction }
}

function toUser(row: UserRow): User {
  return {
    ...row,
    version: Number(row.version),
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
  }
}
