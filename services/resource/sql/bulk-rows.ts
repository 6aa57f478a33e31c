import { type Clock, systemClock } from '../../cache/index.js'
import type { Queryable } from '../../database/database.js'
import { TooManyReadsError } from '../../errors.js'
import { type Columns, type ColumnValues, DEFAULT } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import type { ColumnDefaults } from './defaults.js'
import { cell, recordset } from './recordset.js'
import { newId, NOW } from './rows.js'

/** What of a resource these statements are about. */
type Table = Pick<ResourceDefinition, 'name' | 'columns'>

/** A row to insert. */
export interface NewRow {
  readonly columns: ColumnValues
  /** What it keeps of the database that it comes from, in place of what this one would give it. */
  readonly own?: {
    readonly id?: string
    readonly version?: number
    readonly created_at?: string
    readonly updated_at?: string
  }
}

/** What the database made of it. */
export interface InsertedRow {
  readonly id: string
  readonly external_id: string | null
  readonly version: string | number | bigint
}

/** How long one waits for the others, in ms, and how long at most between two looks whether they have done. */
const LONGEST_WAIT_MS = 60_000
const LONGEST_PAUSE_MS = 250

/**
 * Waits for other bulk writes into this table for this user; the lock is held until the transaction ends. It asks again and again: the others
 * may take longer than a statement may wait.
 * @throws TooManyReadsError when they take more than a minute
 */
export async function lockBulkInserts(
  transaction: Queryable,
  table: Pick<Table, 'name'>,
  userId: string,
  { now, sleep }: Pick<Clock, 'now' | 'sleep'> = systemClock,
): Promise<void> {
  const giveUpAt = now() + LONGEST_WAIT_MS
  for (let pauseMs = 4; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const [row] = await transaction.query<{ is_locked: boolean }>({
      name: `${table.name}.lock-bulk`,
      text: 'select pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) as is_locked',
      values: [`roundhouse ${table.name} ${userId}`],
    })
    if (row?.is_locked === true) return
    if (now() >= giveUpAt) throw new TooManyReadsError()
    await sleep(pauseMs)
  }
}

/** What a row may keep of where it comes from. */
const OWN: Columns = { id: 'uuid', created_at: 'timestamptz', updated_at: 'timestamptz', version: 'bigint' }

/**
 * One statement, so that its moment and the place in it give the ids: lists show the rows in this order. What a row does not name gets its default.
 * @returns the new rows, in that order
 */
export async function insertRows(
  transaction: Queryable,
  table: Table,
  defaults: ColumnDefaults,
  userId: string,
  rows: readonly NewRow[],
): Promise<InsertedRow[]> {
  if (rows.length === 0) return []
  const lines = rows.map(namedIn)
  const known: Columns = { ...OWN, ...table.columns }
  const namedBy = (name: string): number => lines.reduce((count, line) => (name in line ? count + 1 : count), 0)
  const types: Columns = Object.fromEntries(Object.entries(known).filter(([name]) => namedBy(name) > 0))
  const mixed = Object.keys(types).filter((name) => namedBy(name) < lines.length)
  const otherwise: Readonly<Record<string, string>> = {
    ...(await defaults.of(transaction, Object.fromEntries(mixed.map((name) => [name, DEFAULT])))),
    id: newId('line."#nth"'),
    created_at: NOW,
    updated_at: NOW,
  }
  const value = (name: string): string => {
    if (!(name in types)) return otherwise[name] ?? 'null'
    const given = cell('line', name, types)
    return mixed.includes(name)
      ? `case when '${name}' = any(line."#named") then ${given} else (${otherwise[name] ?? 'null'})::${known[name]} end`
      : given
  }
  const names = [...new Set(['id', 'created_at', 'updated_at', ...Object.keys(types)])]
  const lineSet = recordset('$2', 'line', mixed.length === 0 ? types : { '"#named"': 'text[]', ...types })
  return transaction.query<InsertedRow>({
    name: `${table.name}.insert-many`,
    text: `insert into ${table.name} (user_id, ${names.join(', ')})
      select $1::uuid, ${names.map(value).join(', ')} from ${lineSet} order by line."#nth"
      returning id, external_id, version`,
    values: [userId, JSON.stringify(lines.map((line, nth) => ({ ...line, '#nth': nth, ...whichOf(mixed, line) })))],
  })
}

/** Which of the columns that some rows name, and others do not, this one names. */
function whichOf(mixed: readonly string[], line: ColumnValues): object {
  return mixed.length === 0 ? {} : { '#named': mixed.filter((name) => name in line) }
}

/** What a row has values for. */
function namedIn({ columns, own }: NewRow): ColumnValues {
  const named: Record<string, unknown> = {}
  const all: ColumnValues = { ...columns, ...own }
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && value !== DEFAULT) named[name] = value
  }
  return named
}
