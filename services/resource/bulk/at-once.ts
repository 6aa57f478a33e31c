import type { Queryable } from '../../database/database.js'
import { ExternalIdTakenError, InUseError, NotFoundError } from '../../errors.js'
import { insertRows } from '../sql/bulk-rows.js'
import { type ColumnValues, DEFAULT } from '../sql/columns.js'
import { forgetReferences, idsReferringTo } from '../sql/dependents.js'
import { idsByExternalId, isOf } from '../sql/owner.js'
import { lockOwner, lockReferencesOfMany } from '../sql/references.js'
import type { Resource } from '../resource.js'
import type { RowKey } from '../sql/rows.js'
import { upsertRows } from '../sql/upsert.js'
import type { Done, Operation, Outcome, Run } from './operation.js'

/** A row that is there, and locked. */
interface There {
  readonly id: string
  readonly external_id: string | null
  readonly version: string | number | bigint
}

/** A refusal that is about one of them: done one by one they tell which. */
export class NotAtOnceError extends Error {
  readonly statusCode = 409
}

/**
 * A run of operations in one statement, besides those that lock what they need: the owner, what the rows refer to, the rows by their ids.
 * @returns what became of each, in their order
 * @throws NotAtOnceError, or what the database says, when they have to be done one by one
 */
export async function doAtOnce(
  transaction: Queryable,
  resource: Resource,
  userId: string,
  run: Run,
): Promise<Outcome[]> {
  const operations = run.map(({ operation }) => operation)
  const all = operations.flatMap((operation) => ('columns' in operation ? [operation.columns] : []))
  await lockOwner(transaction, userId)
  const refusalOf = await lockReferencesOfMany(transaction, userId, resource.references, all)
  switch (operations[0]?.op) {
    case 'create':
      return create(transaction, resource, userId, all, refusalOf)
    case 'upsert':
      return upsert(transaction, resource, userId, all, refusalOf)
    case 'update':
      return update(transaction, resource, userId, operations, refusalOf)
    case 'delete':
      return remove(transaction, resource, userId, operations)
    case undefined:
      return []
  }
}

/** Why a row can't be as it is to be: it refers to what is not there. */
type Refusal = (columns: ColumnValues) => Error | undefined

async function create(
  transaction: Queryable,
  { definition, rows: { defaults } }: Resource,
  userId: string,
  rows: readonly ColumnValues[],
  refusalOf: Refusal,
): Promise<Outcome[]> {
  const holders = await holdersOf(transaction, definition.name, userId, rows)
  const refusals = rows.map(
    (columns) =>
      refusalOf(columns) ??
      (holders.has(columns['external_id']) ? new ExternalIdTakenError(definition.kind) : undefined),
  )
  const good = rows.flatMap((columns, place) => (refusals[place] === undefined ? [{ columns }] : []))
  const made = (await insertRows(transaction, definition, defaults, userId, good)).values()
  return refusals.map((refusal) => refusal ?? done(201, made.next().value!, true))
}

async function upsert(
  transaction: Queryable,
  { definition }: Resource,
  userId: string,
  rows: readonly ColumnValues[],
  refusalOf: Refusal,
): Promise<Outcome[]> {
  const refusals = rows.map(refusalOf)
  const good = rows.filter((_, place) => refusals[place] === undefined)
  const keys = rows.map(({ external_id: externalId }) => String(externalId))
  const before = await lock(
    transaction,
    definition.name,
    userId,
    keys.map((externalId) => ({ externalId })),
  )
  const written = good.length === 0 ? [] : await upsertRows(transaction, definition, userId, good)
  const now = new Map([...before.values(), ...written].map((row) => [row.external_id, row]))
  const changed = new Map(written.map((row) => [row.external_id, row.is_new]))
  return keys.map((key, place) => {
    const refusal = refusals[place]
    if (refusal !== undefined) return refusal
    const row = now.get(key)
    if (row === undefined) throw new NotAtOnceError()
    return done(changed.get(key) === true ? 201 : 200, row, changed.has(key))
  })
}

/** Which rows have the external_ids that these are to have. Somebody who takes one just now makes the statement that writes it fail. */
async function holdersOf(
  transaction: Queryable,
  table: string,
  userId: string,
  rows: readonly ColumnValues[],
): Promise<ReadonlyMap<unknown, string>> {
  const wanted = rows.flatMap(({ external_id: externalId }) => (typeof externalId === 'string' ? externalId : []))
  if (wanted.length === 0) return new Map()
  const found = await transaction.query<Pick<There, 'id' | 'external_id'>>({
    name: `${table}.taken-external-ids`,
    text: `select id, external_id from ${table} where id = any(array(${idsByExternalId(table)})) and external_id = any($2::text[])`,
    values: [userId, wanted],
  })
  return new Map(found.map(({ id, external_id: externalId }) => [externalId, id]))
}

/**
 * All of them name the same columns. An external_id that another of the rows has is free only once that one is written, so their order
 * decides: one statement would meet them in an order of its own.
 */
async function update(
  transaction: Queryable,
  { definition }: Resource,
  userId: string,
  operations: readonly Operation[],
  refusalOf: Refusal,
): Promise<Outcome[]> {
  const changes = operations.flatMap((operation) => (operation.op === 'update' ? [operation] : []))
  const rows = await lock(
    transaction,
    definition.name,
    userId,
    changes.map(({ key }) => key),
  )
  const all = changes.map(({ columns }) => columns)
  const holders = await holdersOf(transaction, definition.name, userId, all)
  const locked = new Set([...rows.values()].map(({ id }) => id))
  const refusals = changes.map(({ key, columns }) => {
    const row = rows.get(keyText(key))
    if (row === undefined) return new NotFoundError(definition.kind)
    const refusal = refusalOf(columns)
    const holder = holders.get(columns['external_id'])
    if (refusal !== undefined || holder === undefined || holder === row.id) return refusal
    if (locked.has(holder)) throw new NotAtOnceError()
    return new ExternalIdTakenError(definition.kind)
  })
  const there = changes.flatMap(({ key, columns }, place) => {
    const row = rows.get(keyText(key))
    return row === undefined || refusals[place] !== undefined ? [] : [{ row, columns }]
  })
  if (changes.some(({ columns }) => Object.values(columns).includes(DEFAULT))) throw new NotAtOnceError()
  if (new Set(there.map(({ row }) => row.id)).size < there.length) throw new NotAtOnceError()
  const written = there.length === 0 ? [] : await updateRows(transaction, definition, userId, there)
  const changed = new Map(written.map((row) => [row.id, row]))
  return changes.map(({ key }, place) => {
    const row = rows.get(keyText(key))
    if (row === undefined) return new NotFoundError(definition.kind)
    return refusals[place] ?? done(200, changed.get(row.id) ?? row, changed.has(row.id))
  })
}

function updateRows(
  transaction: Queryable,
  { name, columns: types }: Resource['definition'],
  userId: string,
  changes: readonly { readonly row: There; readonly columns: ColumnValues }[],
): Promise<There[]> {
  const names = Object.keys(changes[0]?.columns ?? {})
  const values: unknown[] = [userId]
  const tuples = changes.map(({ row, columns }) => {
    const cells = names.map((column) => `$${values.push(columns[column])}::${types[column]}`)
    return `($${values.push(row.id)}::uuid, ${cells.join(', ')})`
  })
  const [old, wanted] = ['t', 'wanted'].map((from) =>
    names.map((column) => `${from}.${column}::${types[column]}`).join(', '),
  )
  return transaction.query({
    name: `${name}.update-many`,
    text: `update ${name} t set ${names.map((column) => `${column} = wanted.${column}`).join(', ')}
      from (values ${tuples.join(', ')}) as wanted (id, ${names.join(', ')})
      where t.id = wanted.id and ${isOf('t', '$1')} and record_image_ne(row(${old}), row(${wanted}))
      returning t.id, t.external_id, t.version`,
    values,
  })
}

async function remove(
  transaction: Queryable,
  { definition, dependents }: Resource,
  userId: string,
  operations: readonly Operation[],
): Promise<Outcome[]> {
  const keys = operations.flatMap((operation) => (operation.op === 'delete' ? [operation.key] : []))
  const rows = await lock(transaction, definition.name, userId, keys)
  const ids = [...rows.values()].map(({ id }) => id)
  for (const dependent of dependents.filter(({ onDelete }) => onDelete === 'refuse')) {
    const referring = await idsReferringTo(transaction, userId, ids, dependent, 1)
    if (referring.length > 0) throw new InUseError(definition.kind, dependent.table, referring.join(', '))
  }
  await forgetReferences(transaction, userId, ids, dependents)
  await transaction.query({
    name: `${definition.name}.delete-many`,
    text: `delete from ${definition.name} where id = any($2::uuid[]) and ${isOf(definition.name, '$1')}`,
    values: [userId, ids],
  })
  return keys.map((key) => {
    const row = rows.get(keyText(key))
    if (row === undefined) return new NotFoundError(definition.kind)
    return { status: 204, id: row.id, external_id: row.external_id, isChanged: true }
  })
}

/** Locks rows in the order of their ids, as everybody does: another order can deadlock. */
async function lock(
  transaction: Queryable,
  table: string,
  userId: string,
  keys: readonly RowKey[],
): Promise<ReadonlyMap<string, There>> {
  const ids = keys.flatMap((key) => ('id' in key ? [key.id] : []))
  const externalIds = keys.flatMap((key) => ('id' in key ? [] : [key.externalId]))
  const [wanted, values] =
    ids.length > 0
      ? ['id = any($2::uuid[])', ids]
      : [`id = any(array(${idsByExternalId(table)})) and external_id = any($2::text[])`, externalIds]
  const rows = await transaction.query<There>({
    name: `${table}.lock-many`,
    text: `select id, external_id, version from ${table}
      where ${wanted} and ${isOf(table, '$1')} order by id for update`,
    values: [userId, values],
  })
  return new Map(rows.map((row) => [ids.length > 0 ? `id ${row.id}` : `external_id ${row.external_id}`, row]))
}

function keyText(key: RowKey): string {
  return 'id' in key ? `id ${key.id}` : `external_id ${key.externalId}`
}

function done(status: 200 | 201, { id, external_id: externalId, version }: There, isChanged: boolean): Done {
  return { status, id, external_id: externalId, version: Number(version), isChanged }
}
