import { type GivenTime, isoTime } from '../resource/sql/row.js'
import { isOf } from '../resource/sql/owner.js'
import { type InTransaction, TRANSACTION, type Written, written } from '../resource/sql/rows.js'
import type { Queryable } from '../database/database.js'
import { toUser, USER_COLUMNS, type UserRow } from './repository.js'
import type { Token, User } from './schema.js'

type TokenRow = Omit<Token, 'expires_at' | 'created_at'> & {
  readonly expires_at: GivenTime | null
  readonly created_at: GivenTime
}

/** What is stored of a token when it is made: its hash, never its text. */
export interface NewTokenRow {
  readonly userId: string
  readonly name: string
  readonly hash: string
  readonly expiresAt: string | null
  /** The token that makes it; `undefined`: an administrator does. */
  readonly parentId: string | undefined
}

const COLUMNS = 'id, user_id, parent_id, name, expires_at, created_at'

/** The token of this user with this SHA-256. */
export async function findToken(db: Queryable, userId: string, hash: string): Promise<Token | undefined> {
  const [row] = await db.query<TokenRow>({
    name: 'tokens.find',
    isPrepared: true,
    text: `select ${COLUMNS} from tokens where hash = $2::text and ${isOf('tokens', '$1')}`,
    values: [userId, hash],
  })
  return row && toToken(row)
}

export interface WantedCredential {
  readonly userId: string
  /** SHA-256 of the token. */
  readonly hash: string
}

/** What is there of a token and the user whose it is said to be. */
export interface Credential {
  readonly token: Pick<Token, 'id' | 'expires_at'> | undefined
  readonly user: User | undefined
}

type CredentialRow = UserRow & {
  /** Null for users that are not there. */
  readonly id: string | null
  readonly token_id: string | null
  readonly token_expires_at: GivenTime | null
}

/** Answers in the order of `wanted`. */
export async function findCredentials(db: Queryable, wanted: readonly WantedCredential[]): Promise<Credential[]> {
  const columns = USER_COLUMNS.map((column) => `users.${column}`).join(', ')
  const rows = await db.query<CredentialRow>({
    name: 'tokens.find-with-users',
    isPrepared: true,
    text: `select tokens.id as token_id, tokens.expires_at as token_expires_at, ${columns}
      from unnest($1::uuid[], $2::text[]) with ordinality wanted (user_id, hash, place)
      left join tokens on tokens.hash = wanted.hash and tokens.user_id is not distinct from wanted.user_id
      left join users on users.id = wanted.user_id
      order by wanted.place`,
    values: [wanted.map(({ userId }) => userId), wanted.map(({ hash }) => hash)],
  })
  return rows.map(({ token_id: tokenId, token_expires_at: expiresAt, ...user }) => ({
    token: tokenId === null ? undefined : { id: tokenId, expires_at: expiresAt === null ? null : isoTime(expiresAt) },
    user: user.id === null ? undefined : toUser(user),
  }))
}

/** Newest first. */
export async function listTokens(
  db: Queryable,
  userId: string,
  after: string | undefined,
  limit: number,
): Promise<Token[]> {
  const rows = await db.query<TokenRow>({
    name: 'tokens.list',
    text: `select ${COLUMNS} from tokens where user_id = $1::uuid and ($2::uuid is null or id < $2::uuid)
      order by id desc limit $3::integer`,
    values: [userId, after ?? null, limit],
  })
  return rows.map(toToken)
}

/** It expires with its parent at the latest. `undefined` when the parent is revoked or expired: the foreign key holds one that is there. */
export async function insertToken(db: Queryable, token: NewTokenRow): Promise<Written<Token> | undefined> {
  const [inserted] = await db.query<TokenRow & InTransaction>({
    name: 'tokens.insert',
    text: `insert into tokens (id, created_at, user_id, name, hash, expires_at, parent_id)
      select new_row_id(0), statement_timestamp(), $1::uuid, $2::text, $3::text,
        least($4::timestamptz, parent.expires_at), parent.id
      from (values ($5::uuid)) maker (id)
      left join tokens parent on parent.id = maker.id and (parent.expires_at is null or parent.expires_at > now())
      where maker.id is null or parent.id is not null
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [token.userId, token.name, token.hash, token.expiresAt, token.parentId ?? null],
  })
  if (inserted === undefined) return undefined
  const { row, ...write } = written<TokenRow>(inserted)
  return { row: toToken(row), ...write }
}

/**
 * Deletes a token and all that was made with it. In one statement: the foreign key's cascade goes down a chain by recursion, and a
 * chain of some thousand tokens would be too deep for it. Locked in the order of their ids, so that two such deletes do not deadlock.
 * @returns the transaction; `undefined` when there is no such token
 */
export async function deleteToken(db: Queryable, userId: string, id: string): Promise<number | undefined> {
  const [row] = await db.query<InTransaction>({
    name: 'tokens.delete',
    text: `with recursive family (id) as (
        select id from tokens where user_id = $1::uuid and id = $2::uuid
        union select child.id from tokens child join family on child.parent_id = family.id
      ), locked as (
        select id from tokens where id in (select id from family) order by id for update
      ), gone as (
        delete from tokens using locked where tokens.id = locked.id returning tokens.id
      )
      select ${TRANSACTION} from gone limit 1`,
    values: [userId, id],
  })
  return row && Number(row['#transaction'])
}

function toToken(row: TokenRow): Token {
  return {
    ...row,
    expires_at: row.expires_at === null ? null : isoTime(row.expires_at),
    created_at: isoTime(row.created_at),
  }
}
