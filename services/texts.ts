/** What is wrong with a text in a value, and where it stands: the names of the fields and places that lead to it. */
export interface TextFault {
  readonly path: readonly string[]
  readonly message: string
}

/** No schema is nested as deep, and a walk through what is could use up the stack. */
export const MOST_LEVELS = 32

/** Printable ASCII is composed and can be stored. */
const PLAIN = /^[ -~]*$/

/**
 * To compose a run of combining marks takes the square of its length: one of a few hundred thousand, which a body has room for, would hold
 * the event loop for minutes. No writing has more than some ten in a row. It looks from the beginning of a run alone, or it would
 * take as long itself.
 */
const MOST_MARKS = 100
const LONG_RUN = new RegExp(`(?<!\\p{M})\\p{M}{${MOST_MARKS + 1}}`, 'u')

/** A name may be as long as a body: so much of it is told. */
export const LONGEST_NAME = 100

/** The fault in words: the field, or `it`, and what is wrong with it. */
export function faultText({ path, message }: TextFault): string {
  return `${path.map((name) => name.slice(0, LONGEST_NAME)).join('.') || 'it'} ${message}`
}

/**
 * Composes every text in `value`, and every name, in place, into Unicode's form NFC, so that what looks the same is stored and found as
 * the same.
 * @returns the first thing in it that not every database stores, or that takes too long to compose; `undefined` when there is none
 */
export function composeTexts(value: unknown, level = 0): TextFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (level >= MOST_LEVELS) return { path: [], message: 'is nested too deep' }
  return Array.isArray(value) ? composeItems(value, level + 1) : composeFields(value, level + 1)
}

function composeItems(items: readonly unknown[], level: number): TextFault | undefined {
  for (let index = 0; index < items.length; index += 1) {
    const fault = composePart(items, index, items[index], level)
    if (fault !== undefined) return { ...fault, path: [String(index), ...fault.path] }
  }
  return undefined
}

function composeFields(fields: object, level: number): TextFault | undefined {
  let isRenamed = false
  for (const [name, field] of Object.entries(fields)) {
    if (!PLAIN.test(name)) {
      const ofName = unstorable(name)
      if (ofName !== undefined) return { path: [], message: `has a name that ${ofName}` }
      isRenamed ||= name.normalize('NFC') !== name
    }
    const fault = composePart(fields, name, field, level)
    if (fault !== undefined) return { ...fault, path: [name, ...fault.path] }
  }
  return isRenamed ? composeNames(fields) : undefined
}

/** `part` is what `whole` has at `place`. */
function composePart(whole: object, place: string | number, part: unknown, level: number): TextFault | undefined {
  if (typeof part !== 'string') return composeTexts(part, level)
  if (PLAIN.test(part)) return undefined
  const message = unstorable(part)
  if (message !== undefined) return { path: [], message }
  Reflect.set(whole, place, part.normalize('NFC'))
  return undefined
}

/** In their order: what comes back is what was sent. */
function composeNames(fields: object): TextFault | undefined {
  const composed = new Map<string, unknown>()
  for (const [given, field] of Object.entries(fields)) {
    const name = given.normalize('NFC')
    if (composed.has(name)) {
      const shown = name.slice(0, LONGEST_NAME)
      return { path: [], message: `has two names that are one when they are composed (NFC): ${shown}` }
    }
    composed.set(name, field)
  }
  for (const name of Object.keys(fields)) Reflect.deleteProperty(fields, name)
  for (const [name, value] of composed)
    Reflect.defineProperty(fields, name, { value, writable: true, enumerable: true, configurable: true })
  return undefined
}

/** What is wrong with a text; `undefined` when it can be composed in time, and every database stores it and gives it back. */
function unstorable(text: string): string | undefined {
  if (text.includes('\0')) return 'must not hold the character U+0000'
  // JSON can spell it, UTF-8 can't.
  if (!text.isWellFormed()) return 'must not hold half of a surrogate pair'
  // The client of the embedded database takes it for a mark of what it reads, and drops it.
  if (text.startsWith('\ufeff')) return 'must not begin with a byte order mark (U+FEFF)'
  return text.length > MOST_MARKS && LONG_RUN.test(text)
    ? `must not hold more than ${MOST_MARKS} combining marks in a row`
    : undefined
}
