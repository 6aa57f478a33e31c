import type { Fault } from './fault.js'

/** What the platform was to put in has stayed what was written. */
export function referenceFaults(env: Record<string, string>): Fault[] {
  const unresolved = Object.keys(env).filter((name) => env[name]?.includes('${{'))
  const message = 'holds a ${{…}} reference that did not resolve: check the spelling of the service and the variable'
  return unresolved.map((variable) => ({ variable, message }))
}

export function isBlank(value: string | undefined): boolean {
  return value === undefined || value.trim() === ''
}

/** In production an empty URL is a reference that did not resolve. */
export function emptyFaults(env: Readonly<Record<string, string | undefined>>): Fault[] {
  if (env['NODE_ENV']?.trim() !== 'production') return []
  const empty = ['DATABASE_URL', 'DATABASE_UNPOOLED_URL', 'REDIS_URL'].filter((name) => env[name]?.trim() === '')
  const message = 'is empty: set it, or remove the variable; an empty value is often a reference that did not resolve'
  return empty.map((variable) => ({ variable, message }))
}
