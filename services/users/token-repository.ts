import { isoTime } from '../resource/row.js'
import { type InTransaction, TRANSACTION, type Written, written } from '../resource/rows.js'
import type { Queryable } from '../database/database.js'
import type { Token } from './schema.js'

type TokenRow = Omit<Token, 'expires_at' | 'created_at'> & {
  readonly expires_at: Date | string | null
  readonly created_at: Date | string
}

/** What is stored of a token when it is made: its hash, never its text. */
export interface NewTokenRow {
  readonly id: string
  readonly userId: string
  readonly name: string
  readonly hash: string
  readonly expiresAt: string | null
}

const COLUMNS = 'id, user_id, name, expires_at, created_at'

/** The token of this user with this SHA-256. */
export async function findToken(db: Queryable, userId: string, hash: string): Promise<Token | undefined> {
  const [row] = await db.query<TokenRow>({
    name: 'tokens.find',
    text: `select ${COLUMNS} from tokens where user_id = $1::uuid and hash = $2::text`,
    values: [userId, hash],
  })
  return row && toToken(row)
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

export async function insertToken(db: Queryable, token: NewTokenRow): Promise<Written<Token>> {
  const [inserted] = await db.query<TokenRow & InTransaction>({
    name: 'tokens.insert',
    text: `insert into tokens (id, user_id, name, hash, expires_at)
      values ($1::uuid, $2::uuid, $3::text, $4::text, $5::timestamptz)
      returning ${COLUMNS}, ${TRANSACTION}`,
    values: [token.id, token.userId, token.name, token.hash, token.expiresAt],
  })
  if (inserted === undefined) throw new Error('tokens: an insert returned no row')
  const { row, transaction } = written<TokenRow>(inserted)
  return { row: toToken(row), transaction }
}

/** The transaction that deleted it; `undefined` when there is no such token. */
export async function deleteToken(db: Queryable, userId: string, id: string): Promise<number | undefined> {
  const [row] = await db.query<InTransaction>({
    name: 'tokens.delete',
    text: `delete from tokens where user_id = $1::uuid and id = $2::uuid returning ${TRANSACTION}`,
    values: [userId, id],
  })
  return row && Number(row.transaction)
}

function toToken(row: TokenRow): Token {
  return {
    ...row,
    expires_at: row.expires_at === null ? null : isoTime(row.expires_at),
    created_at: isoTime(row.created_at),
  }
}
