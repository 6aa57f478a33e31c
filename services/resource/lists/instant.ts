/** What the format `date-time` lets through: RFC 3339, also with a space, without the colon or the minutes of the zone, and with a leap second. */
const PARTS = /^(\d{4}-\d\d-\d\d)[t\s](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:z|([+-])(\d\d):?(\d\d)?)$/i
/** Nothing was made before; nothing is made after. The database knows no year 0, and JavaScript none of five digits without a sign. */
const EARLIEST = Date.UTC(1970, 0)
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59)

/**
 * One text for all that say the same time, in UTC to the microsecond: what the database reads whatever the caller wrote. It has no zone beyond
 * 15:59, no year 0 and no text as long as fractions may be. Times before 1970 are 1970.
 * @param text a `date-time`
 */
export function instantText(text: string): string {
  const [, date, hours, minutes, seconds, fraction = '', sign, zoneHours = 0, zoneMinutes = 0] = PARTS.exec(text) ?? []
  if (date === undefined) throw new Error(`${text} is no date-time`)
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  const inMinutes = Number(hours) * 60 + Number(minutes) - offset
  const time = Date.parse(`${date}T00:00:00Z`) + (inMinutes * 60 + Number(seconds)) * 1_000
  const within = Math.min(Math.max(time, EARLIEST), LATEST)
  const microseconds = within === time ? fraction.slice(0, 6).padEnd(6, '0') : '000000'
  return `${new Date(within).toISOString().slice(0, 19)}.${microseconds}Z`
}
