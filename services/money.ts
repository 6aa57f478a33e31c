/** What the ICU tables of this Node know: ISO 4217, with some codes that are out of use; no test codes, no metals. */
const CURRENCIES = new Set(Intl.supportedValuesOf('currency'))

/** Is it the code of a currency, in capital letters: `EUR`? */
export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code)
}
