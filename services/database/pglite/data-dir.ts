import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { codeOf } from '../errors.js'

/** The release of PostgreSQL that PGlite is; its files are of no other. A test compares it with a new database. */
export const EMBEDDED_MAJOR = '18'

/** What a new database takes, and some room to grow. */
const NEW_DATABASE_BYTES = 64 * 1_048_576

/** Enough that a full disk can not take it beside an empty file. */
const PROBE_BYTES = 65_536

/** A folder of its own: on a fresh volume `dataDir` is not empty (lost+found), which initdb refuses. */
export function databaseFolder(dataDir: string): string {
  return join(dataDir, 'pglite')
}

/** Makes a folder and those above it. Node's own `recursive` never ends where the system says ENOENT again, as /proc does. */
export function makeFolder(path: string): void {
  if (isThere(path) && statSync(path).isDirectory()) return
  try {
    mkdirSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || isThere(dirname(path))) throw error
    makeFolder(dirname(path))
    mkdirSync(path)
  }
}

/** Why the embedded database can't be in `dataDir`, and what to do; `undefined`: it can. Makes the folder if need be. */
export function dataDirFault(dataDir: string): string | undefined {
  return folderFault(dataDir) ?? versionFault(dataDir) ?? roomFault(dataDir)
}

/** Does `look`, and takes away what it made of the folder and of those above it. */
export async function leavingNoFolder<Seen>(dataDir: string, look: () => Promise<Seen>): Promise<Seen> {
  const missing = missingFolders(resolve(dataDir))
  try {
    return await look()
  } finally {
    for (const folder of missing) removeEmpty(folder)
  }
}

/** The deepest first. */
function missingFolders(path: string): string[] {
  return isThere(path) ? [] : [path, ...missingFolders(dirname(path))]
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // It was not made, or a service has begun to use it.
  }
}

/** Why `dataDir` can't be written to; `undefined`: it can. Makes the folder if need be. */
export function folderFault(dataDir: string): string | undefined {
  try {
    makeFolder(dataDir)
    const probe = join(dataDir, `probe.${process.pid}`)
    try {
      writeFileSync(probe, Buffer.alloc(PROBE_BYTES))
    } finally {
      rmSync(probe, { force: true })
    }
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

function versionFault(dataDir: string): string | undefined {
  const folder = databaseFolder(dataDir)
  try {
    const major = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim()
    accessSync(join(folder, 'PG_VERSION'), constants.W_OK)
    accessSync(folder, constants.W_OK)
    if (major === EMBEDDED_MAJOR) return undefined
    return (
      `holds a database of PostgreSQL ${major}, from another release of PGlite; this one reads ${EMBEDDED_MAJOR}: ` +
      'dump it with that release and load it here, or choose another folder'
    )
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : reasonOf(error)
  }
}

/** Only for a new database: an existing one has its files already. */
function roomFault(dataDir: string): string | undefined {
  const { bavail, bsize } = statfsSync(dataDir)
  if (isThere(join(databaseFolder(dataDir), 'PG_VERSION')) || bavail * bsize >= NEW_DATABASE_BYTES) return undefined
  return `has ${mebibytes(bavail * bsize)} MiB free, and a new database takes ${mebibytes(NEW_DATABASE_BYTES)}: free some, or choose another folder`
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'is not writable for the user of this process: give it to that user, or choose another folder'
    case 'EROFS':
      return 'is on a file system that is read-only: choose another folder'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'is on a disk that is full: free some space, or choose another folder'
    case 'EEXIST':
    case 'ENOTDIR':
      return 'is a file, or leads through one: choose another folder'
    default:
      return `can not be a folder (${codeOf(error) || String(error)}): choose another one`
  }
}

function isThere(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1_048_576)
}
