/** No schema is nested as deep. */
const MOST_LEVELS = 32

/**
 * The name that a parser of JSON refuses because code that copies objects by hand could take it for the prototype of all objects.
 * @returns the names that lead to it, it being the last; `undefined` when none is as near as any schema goes
 */
export function poisonousName(value: unknown, level = 0): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null || level >= MOST_LEVELS) return undefined
  for (const [name, inner] of Object.entries(value)) {
    if (name === '__proto__') return [name]
    if (name === 'constructor' && isObject(inner) && Object.hasOwn(inner, 'prototype')) return [name, 'prototype']
    const within = poisonousName(inner, level + 1)
    if (within !== undefined) return [name, ...within]
  }
  return undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
