import { createHash } from 'node:crypto'
import type { Queryable, Transactional } from '../database/database.js'
import { isForeignKeyViolation } from '../database/errors.js'
import { Document } from '../documents/document.js'
import { IdempotencyKeyReusedError, StillRunningError, UnauthorizedError } from '../errors.js'
import type { Saved } from './dependencies.js'

/** A request that its caller may send again: when no answer came, nobody knows whether it was done. */
export interface Repeatable {
  /** The caller's own word for it, unique among the user's. */
  readonly key: string
  /** What is asked for, as {@link digestOf} has it. */
  readonly request: string
}

/** What was answered, as text. */
export interface Answered {
  /** Of the one row that it is about, if it is one. */
  readonly id: string | null
  readonly etag: string | null
  readonly body: string
  readonly version: string
}

/** How long the answer to a key is kept. */
const KEPT = `interval '24 hours'`

/** Each create that leaves a row takes more than one old row away, so that the table keeps about a day. */
const MOST_FORGOTTEN = 10

/** What a request asks for, in a text of fixed length: the same key may not ask for something else. */
export function digestOf(resource: string, body: object): string {
  return createHash('sha256')
    .update(`${resource} ${JSON.stringify(body)}`)
    .digest('base64url')
}

/** {@link answeredOnce} for a write of one row. */
export async function savedOnce(
  database: Transactional,
  userId: string,
  repeatable: Repeatable,
  work: (transaction: Queryable) => Promise<Saved>,
): Promise<Saved> {
  const { id, body, etag, ...answered } = await answeredOnce(database, userId, repeatable, async (transaction) => {
    const saved = await work(transaction)
    return { id: saved.id, etag: saved.document.etag, body: saved.document.json, version: saved.version }
  })
  return { ...answered, id: id ?? '', document: new Document(body, etag ?? '') }
}

/**
 * Runs `work` and keeps its answer, both in one transaction: they are committed together or not at all. An earlier answer to the key is
 * given again instead.
 * @throws StillRunningError while another transaction has the key, IdempotencyKeyReusedError when it asked for something else,
 * UnauthorizedError when the user is gone
 */
export function answeredOnce(
  database: Transactional,
  userId: string,
  repeatable: Repeatable,
  work: (transaction: Queryable) => Promise<Answered>,
): Promise<Answered & { readonly isRepeated: boolean }> {
  return database.transaction((transaction) => once(transaction, userId, repeatable, () => work(transaction)))
}

async function once(
  transaction: Queryable,
  userId: string,
  { key, request }: Repeatable,
  work: () => Promise<Answered>,
): Promise<Answered & { readonly isRepeated: boolean }> {
  await claim(transaction, userId, key)
  const first = await find(transaction, userId, key)
  if (first !== undefined) {
    if (first.request !== request) throw new IdempotencyKeyReusedError()
    return { ...first, isRepeated: true }
  }
  const answered = await work()
  await keep(transaction, userId, { key, request }, answered)
  await forgetOld(transaction)
  return { ...answered, isRepeated: false }
}

/** Held until the transaction ends. Who comes second is told, and does not wait: the first may take long. */
async function claim(transaction: Queryable, userId: string, key: string): Promise<void> {
  const [row] = await transaction.query<{ is_claimed: boolean }>({
    name: 'idempotency_keys.claim',
    isPrepared: true,
    text: 'select pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) as is_claimed',
    values: [`roundhouse idempotency ${userId} ${key}`],
  })
  if (row?.is_claimed !== true) throw new StillRunningError()
}

async function find(
  transaction: Queryable,
  userId: string,
  key: string,
): Promise<(Answered & { readonly request: string }) | undefined> {
  const [row] = await transaction.query<Answered & { readonly request: string }>({
    name: 'idempotency_keys.find',
    isPrepared: true,
    text: `select request, row_id as id, etag, body, version from idempotency_keys
      where user_id = $1::uuid and key = $2::text and created_at > now() - ${KEPT}`,
    values: [userId, key],
  })
  return row
}

async function keep(
  transaction: Queryable,
  userId: string,
  { key, request }: Repeatable,
  { id, etag, body, version }: Answered,
): Promise<void> {
  const kept = transaction.query({
    name: 'idempotency_keys.keep',
    isPrepared: true,
    text: `insert into idempotency_keys (user_id, key, request, row_id, etag, body, version)
      values ($1::uuid, $2::text, $3::text, $4::uuid, $5::text, $6::text, $7::text)
      on conflict (user_id, key) do update set request = excluded.request, row_id = excluded.row_id,
        etag = excluded.etag, body = excluded.body, version = excluded.version, created_at = now()`,
    values: [userId, key, request, id, etag, body, version],
  })
  // The one foreign key there is: the user was deleted since the request came in, and a bulk may have written nothing that met it before.
  await kept.catch((error: unknown) => {
    throw isForeignKeyViolation(error) ? new UnauthorizedError() : error
  })
}

async function forgetOld(transaction: Queryable): Promise<void> {
  await transaction.query({
    name: 'idempotency_keys.forget-old',
    text: `delete from idempotency_keys where (user_id, key) in (
      select user_id, key from idempotency_keys where created_at <= now() - ${KEPT}
      order by created_at limit ${MOST_FORGOTTEN} for update skip locked)`,
  })
}
