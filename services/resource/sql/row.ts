/** A row as the drivers give it: what every resource has, and its own columns. */
export interface ResourceRow {
  readonly id: string
  readonly user_id: string
  readonly version: number | string | bigint
  readonly external_id: string | null
  readonly created_at: Date | string
  readonly updated_at: Date | string
  readonly [column: string]: unknown
}

/** A timestamp as the drivers give it, in ISO 8601. */
export function isoTime(value: Date | string): string {
  return typeof value === 'string' ? value : value.toISOString()
}

/** The fields that every resource has, in the types of its schema. */
export function commonFields(row: ResourceRow) {
  return {
    id: row.id,
    user_id: row.user_id,
    version: Number(row.version),
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
  }
}
