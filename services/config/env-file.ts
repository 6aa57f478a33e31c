import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { variables } from './environment.js'
import type { Fault } from './fault.js'

export interface EnvFile {
  readonly values: Readonly<Record<string, string>>
  readonly faults: readonly Fault[]
}

/**
 * The variables of a file of `NAME=value` lines; none when there is no such file. What would lose a variable in silence, and so
 * send data to another database, is a fault.
 */
export function readEnvFile(path: string): EnvFile {
  try {
    const bytes = readFileSync(path)
    const message = encodingFault(bytes)
    if (message !== undefined) return { values: {}, faults: [{ variable: path, message }] }
    return parsed(path, bytes.toString('utf8'))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT') return { values: {}, faults: [] }
    return { values: {}, faults: [{ variable: path, message: `can not be read (${code}): make it a readable file` }] }
  }
}

function encodingFault(bytes: Buffer): string | undefined {
  const start = bytes.subarray(0, 3).toString('hex')
  if (start.startsWith('fffe') || start.startsWith('feff') || bytes.includes(0)) {
    return 'is in UTF-16, of which nothing can be read: save it as UTF-8'
  }
  if (start === 'efbbbf') return 'begins with a byte order mark, which hides the first variable: save it without'
  return isUtf8(bytes) ? undefined : 'holds bytes that are no UTF-8: save it as UTF-8'
}

/** A variable of ours at the beginning of a line must be among what was read, whatever stands behind it. */
function parsed(path: string, text: string): EnvFile {
  const values = Object.fromEntries(
    Object.entries(parseEnv(text)).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  const isNamed = (name: string): boolean => new RegExp(`^\\s*(?:export\\s+)?${name}(?![\\w.-])`, 'm').test(text)
  const lost = variables.filter((name) => !(name in values) && isNamed(name))
  const message = (name: string): string => `names ${name} in a line that can not be read: write ${name}=value`
  return { values, faults: lost.map((name) => ({ variable: path, message: message(name) })) }
}
