import { MOST_LEVELS, type TextFault } from './texts.js'

/**
 * The name that a parser of JSON refuses because code that copies objects by hand could take it for the prototype of all objects;
 * `undefined` when there is none as near as any schema goes.
 */
export function poisonousName(value: unknown): TextFault | undefined {
  const path = poisonIn(value, 0)
  return path && { path, message: 'is a name that is not taken: give it another one' }
}

/** The names that lead to it, it being the last. */
function poisonIn(value: unknown, level: number): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null || level >= MOST_LEVELS) return undefined
  for (const [name, inner] of Object.entries(value)) {
    if (name === '__proto__') return [name]
    if (name === 'constructor' && isObject(inner) && Object.hasOwn(inner, 'prototype')) return [name, 'prototype']
    const within = poisonIn(inner, level + 1)
    if (within !== undefined) return [name, ...within]
  }
  return undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
