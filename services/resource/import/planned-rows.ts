import { createHash } from 'node:crypto'
import type { ColumnValues } from '../sql/columns.js'

/** One way to know a row: its id, its external_id or its natural key. */
export interface RowKey {
  readonly by: 'id' | 'external_id' | 'natural_key'
  readonly key: string
}

/** What a dry run would have written: later lines meet it. Sixteen bytes stand for each key, and for what the row would hold. */
export class PlannedRows {
  readonly #digests = new Map<string, string>()

  /** A digest of what the row would hold; `undefined` when none would be there. */
  get(table: string, userId: string, key: RowKey): string | undefined {
    return this.#digests.get(placeOf(table, userId, key))
  }

  set(table: string, userId: string, keys: readonly RowKey[], columns: ColumnValues): void {
    const digest = digestOf(columns)
    for (const key of keys) this.#digests.set(placeOf(table, userId, key), digest)
  }
}

export function digestOf(columns: ColumnValues): string {
  const sorted = Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1))
  return shortHash(JSON.stringify(sorted))
}

function placeOf(table: string, userId: string, { by, key }: RowKey): string {
  return shortHash(JSON.stringify([table, userId, by, key]))
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest().toString('latin1', 0, 16)
}
