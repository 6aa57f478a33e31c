import type { OwnedRow } from './table.js'

/** A timestamp as the drivers give it, in ISO 8601. */
export function isoTime(value: Date | string): string {
  return typeof value === 'string' ? value : value.toISOString()
}

/** The fields that every owned row has, in the types of its schema. */
export function commonFields(row: OwnedRow) {
  return {
    id: row.id,
    user_id: row.user_id,
    version: Number(row.version),
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
  }
}
