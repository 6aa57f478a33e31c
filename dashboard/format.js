/** Figures as people read them. What is not known is a dash. */

export const NONE = '–'

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })

/** @param {number | null | undefined} value */
export function count(value) {
  return value === undefined || value === null ? NONE : value < 100_000 ? whole.format(value) : short.format(value)
}

/** @param {number | null | undefined} value a second */
export function rate(value) {
  if (value === undefined || value === null) return NONE
  return value === 0 || value >= 10 ? count(value) : value.toFixed(1)
}

/** @param {number | null | undefined} value */
export function percent(value) {
  if (value === undefined || value === null) return NONE
  // 99.96 is not everything.
  const shown = value < 100 ? Math.min(99.9, Math.round(value * 10) / 10) : 100
  return `${shown.toFixed(shown === 100 || shown === 0 ? 0 : 1)}\u00a0%`
}

/** @param {number | null | undefined} value in ms @returns {string} */
export function milliseconds(value) {
  if (value === undefined || value === null) return NONE
  if (value >= 1_000) return duration(value / 1_000)
  return `${value < 1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : Math.round(value)}\u00a0ms`
}

/** @param {number | null | undefined} value in seconds @returns {string} */
export function duration(value) {
  if (value === undefined || value === null) return NONE
  if (value < 1) return milliseconds(value * 1_000)
  if (value < 10) return `${value.toFixed(1)}\u00a0s`
  if (value < 120) return `${Math.round(value)}\u00a0s`
  const minutes = Math.floor(value / 60)
  if (minutes < 120) return `${minutes}\u00a0min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours}\u00a0h ${minutes % 60}\u00a0min`
  return `${Math.floor(hours / 24)}\u00a0d ${hours % 24}\u00a0h`
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === undefined || value === null) return NONE
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10))
  const scaled = value / 1024 ** power
  return `${scaled >= 100 || power === 0 ? Math.round(scaled) : scaled.toFixed(1)}\u00a0${units[power]}`
}

/** @param {number} ms since 1970 */
export function time(ms) {
  return new Date(ms).toLocaleTimeString('en-GB')
}

/** @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`
}
