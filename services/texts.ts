/** What is wrong with a text in a value, and where it stands: the names of the fields and places that lead to it. */
export interface TextFault {
  readonly path: readonly string[]
  readonly message: string
}

/** No schema is nested as deep, and a walk through what is could use up the stack. */
const MOST_LEVELS = 32

/** Half of a surrogate pair is no character: JSON can spell it, UTF-8 can't. */
const LONE_SURROGATE = /\p{Surrogate}/u
/** Printable ASCII is composed and can be stored. */
const PLAIN = /^[ -~]*$/

/**
 * Composes every text in `value`, in place, into Unicode's form NFC, so that what looks the same is stored and found as the same.
 * @returns the first thing in it that no database stores; `undefined` when there is none
 */
export function composeTexts(value: unknown, level = 0): TextFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (level >= MOST_LEVELS) return { path: [], message: 'is nested too deep' }
  return Array.isArray(value) ? composeItems(value, level + 1) : composeFields(value, level + 1)
}

function composeItems(items: unknown[], level: number): TextFault | undefined {
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index]
    const fault = faultOf(item, level)
    if (fault !== undefined) return { ...fault, path: [String(index), ...fault.path] }
    if (isToCompose(item)) items[index] = item.normalize('NFC')
  }
  return undefined
}

function composeFields(fields: object, level: number): TextFault | undefined {
  for (const [name, field] of Object.entries(fields)) {
    const fault = faultOf(field, level)
    if (fault !== undefined) return { ...fault, path: [name, ...fault.path] }
    if (isToCompose(field)) Reflect.set(fields, name, field.normalize('NFC'))
  }
  return undefined
}

function isToCompose(value: unknown): value is string {
  return typeof value === 'string' && !PLAIN.test(value)
}

function faultOf(value: unknown, level: number): TextFault | undefined {
  if (!isToCompose(value)) return composeTexts(value, level)
  if (value.includes('\0')) return { path: [], message: 'must not hold the character U+0000' }
  return LONE_SURROGATE.test(value) ? { path: [], message: 'must not hold half of a surrogate pair' } : undefined
}
