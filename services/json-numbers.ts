import type { TextFault } from './texts.js'

/**
 * Up to fifteen digits without an exponent are a number that JavaScript keeps. Longer ones, and exponents, are looked for where JSON may have a
 * number, so that ids and file names in texts cost nothing; a text that looks like one is told apart later.
 */
const PERHAPS_INEXACT = /[[:,\s]-?(?:\d[\d.]{15}|\d+(?:\.\d+)?[eE])/

/** What JSON is made of, without what stands between. Its texts are matched whole, so nothing inside of one is taken for a number. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|-?\d[\d.eE+-]*/g

/** Written out, and not in tens, hundreds and so on. */
const IN_ONES = /^-?\d*[1-9]$/

/** An object or an array that is open, and which field of it is at hand. */
interface Open {
  readonly isArray: boolean
  field: string | number
}

/**
 * The first number in a text of JSON that JavaScript would change: one with more digits than it keeps, one that is beyond what there is, a whole one
 * beyond ±(2^53 − 1) that does not end in 0. Once the text is parsed it can't be told. What is not changed is not changed either as it is answered.
 * @param text that has been parsed, and so is valid
 */
export function inexactNumber(text: string): TextFault | undefined {
  if (!PERHAPS_INEXACT.test(text)) return undefined
  const open: Open[] = []
  let lastText = ''
  for (const [token] of text.matchAll(TOKENS)) {
    const inner = open.at(-1)
    if (token === '{' || token === '[') open.push({ isArray: token === '[', field: 0 })
    else if (token === '}' || token === ']') open.pop()
    else if (token.startsWith('"')) lastText = token
    else if (token === ':' && inner !== undefined) inner.field = String(JSON.parse(lastText))
    else if (token === ',' && inner?.isArray === true) inner.field = Number(inner.field) + 1
    else if (token !== ':' && token !== ',' && !isExactNumber(token)) return faultOf(open)
  }
  return undefined
}

function faultOf(open: readonly Open[]): TextFault {
  return {
    path: open.map(({ field }) => String(field)),
    message: 'is a number with more digits than are kept, or too large: send it as a text, in quotation marks',
  }
}

/**
 * Whether JavaScript keeps a number as it is written, and writes it so that it may be read again.
 * @param token decimal, perhaps with a sign and an exponent
 */
export function isExactNumber(token: string): boolean {
  const value = Number(token)
  if (!Number.isFinite(value)) return false
  const written = String(value)
  // Also the one of two neighbours that there is: who wrote it counts in ones. Judged as it is answered: 1e20 is, in full, and may be sent so.
  const isTooLarge = !Number.isSafeInteger(value) && IN_ONES.test(written)
  return !isTooLarge && digitsOf(token) === digitsOf(written)
}

/** What is left of a number without its sign, its point, its exponent and the zeros around it: the same for each way to write it. */
function digitsOf(token: string): string {
  const digits = token.replace(/e.*/i, '').replace(/[-+.]/g, '').replace(/^0+/, '')
  let length = digits.length
  // By hand: a pattern would begin anew at each zero of a long run.
  while (digits[length - 1] === '0') length -= 1
  return digits.slice(0, length)
}
