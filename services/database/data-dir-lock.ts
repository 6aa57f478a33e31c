import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How often a lock that others take and drop at the same moment is tried. */
const ATTEMPTS = 5

/**
 * Keeps a second process out of `dataDir`: PGlite has no such guard, and two of them destroy each other's files.
 * A lock whose process is gone is taken over; a process id counts as gone when another process has it by now.
 * @returns the function that drops the lock
 * @throws Error naming the process that holds it, and what to do
 */
export function lockDataDir(dataDir: string): () => void {
  const path = join(dataDir, 'lock')
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid) })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (createdWith(path, own)) return () => dropLock(path, own)
    const held = readOrUndefined(path)
    if (held === undefined) continue
    const holder = parseHolder(held)
    if (holder && isRunning(holder)) throw new Error(heldMessage(dataDir, path, holder.pid))
    setAside(path, held)
  }
  throw new Error(`Other processes keep taking and dropping ${path}: start one at a time.`)
}

interface Holder {
  readonly pid: number
  /** When the process started, in the kernel's own unit; absent where there is no /proc. */
  readonly started?: string
}

function heldMessage(dataDir: string, path: string, pid: number): string {
  return (
    `Process ${pid} has the embedded database in ${dataDir} open, and a second one would corrupt it. ` +
    'Stop that process, choose another DATA_DIR, or set DATABASE_URL to share a PostgreSQL server. ' +
    `If process ${pid} is no Roundhouse, delete ${path}.`
  )
}

function createdWith(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' })
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Moves a stale lock away, and back again if another process had replaced it since it was read. */
function setAside(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    if (readFileSync(aside, 'utf8') !== stale) linkSync(aside, path)
    unlinkSync(aside)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
}

function dropLock(path: string, own: string): void {
  if (readOrUndefined(path) === own) unlinkSync(path)
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** `undefined` for a file that a crash left half written. */
function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number')
      return undefined
    const started = 'started' in value && typeof value.started === 'string' ? value.started : undefined
    return { pid: value.pid, ...(started !== undefined && { started }) }
  } catch {
    return undefined
  }
}

function isRunning({ pid, started }: Holder): boolean {
  const running = startOf(pid)
  if (running !== undefined && started !== undefined) return running === started
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

/** Field 22 of /proc/<pid>/stat; the fields are counted after the name, which may hold spaces and parentheses. */
function startOf(pid: number): string | undefined {
  const stat = readOrUndefined(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
