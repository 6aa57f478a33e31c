/** A timestamp as the drivers give it; a number is `infinity` or `-infinity`. */
export type GivenTime = Date | string | number

/** A row as the drivers give it: what every resource has, and its own columns. */
export interface ResourceRow {
  readonly id: string
  readonly user_id: string
  readonly version: number | string | bigint
  readonly external_id: string | null
  readonly created_at: GivenTime
  readonly updated_at: GivenTime
  readonly [column: string]: unknown
}

/** The years that RFC 3339 has. */
const [FIRST_TIME, LAST_TIME] = ['0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z']
const [FIRST_MS, LAST_MS] = [Date.parse(FIRST_TIME), Date.parse(LAST_TIME)]

/** A timestamp in ISO 8601. One that somebody wrote by SQL beyond what RFC 3339 has is told as its first or its last. */
export function isoTime(value: GivenTime): string {
  if (typeof value === 'string') return value
  const ms = Number(value)
  // Years before Christ are no date to the driver of the embedded database.
  if (!(ms >= FIRST_MS)) return FIRST_TIME
  return ms > LAST_MS ? LAST_TIME : new Date(ms).toISOString()
}

/** A column as text to the microsecond, as the database keeps it: what is imported again is then just what it was. {@link isoTime} says why there are bounds. */
export function exactTime(column: string): string {
  return `to_char(least(greatest(${column}, '${FIRST_TIME}'), '${LAST_TIME}') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`
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
