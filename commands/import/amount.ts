const PLAIN = /^\d+(?:\.\d+)?$/
/** 1,234.50 and 1.234,50: groups of three, then the other sign. */
const GROUPED = /^[1-9]\d{0,2}(?:(?<group>[,. '’\u00a0\u202f])\d{3})(?:\k<group>\d{3})*(?:(?!\k<group>)[.,]\d{1,3})?$/
const COMMA = /^(?:\d+,\d{1,2}|0,\d+)$/
/** 1,234 and 1.234: perhaps a thousand, perhaps one and a bit. */
const THREE_AFTER = /^[1-9]\d{0,2}(?<sign>[.,])\d{3}$/

/**
 * An amount as a person or a spreadsheet writes it, in whole minor units of its currency; `undefined` when it is none, or finer than the
 * currency is, or may be either of two. 1.234 is one and a bit where the currency has so many digits: a point is the sign of exports. 1,234 is a
 * thousand and more where it has fewer.
 */
export function minorUnits(text: string, currency: string): number | undefined {
  const digits = fractionDigits(currency)
  const number = asPlain(text.trim())
  if (digits === undefined || number === undefined || isEither(text.trim(), digits)) return undefined
  const [whole = '', fraction = ''] = number.split('.')
  const kept = fraction.replace(/0+$/, '')
  if (kept.length > digits) return undefined
  const cents = Number(whole + kept.padEnd(digits, '0'))
  return Number.isSafeInteger(cents) ? cents : undefined
}

/** An amount that the currency can have: 12.50, or 1250 where it has no minor unit. */
export function exampleAmount(currency: string): string {
  const digits = fractionDigits(currency) ?? 2
  return digits === 0 ? '1250' : `12.${'5'.padEnd(digits, '0')}`
}

function isEither(text: string, digits: number): boolean {
  const sign = THREE_AFTER.exec(text)?.groups?.['sign']
  return sign === (digits < 3 ? '.' : ',')
}

function asPlain(text: string): string | undefined {
  if (PLAIN.test(text)) return text
  if (COMMA.test(text)) return text.replace(',', '.')
  const group = GROUPED.exec(text)?.groups?.['group']
  return group === undefined ? undefined : text.replaceAll(group, '').replace(',', '.')
}

/** By the ICU tables of Node; `undefined` for what is no currency. */
function fractionDigits(currency: string): number | undefined {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits
  } catch {
    return undefined
  }
}
