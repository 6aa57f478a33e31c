import { randomBytes } from 'node:crypto'
import { lstatSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Writable } from 'node:stream'

/** Where an export goes. */
export interface ExportOutput {
  readonly stream: Writable
  /** Whether it is ours to end. */
  readonly isOwn: boolean
  /** All is written: a file has its name from now on. */
  finish(): void
  /** The export failed: nothing stays of a file. */
  discard(): void
}

/** As the system itself has it. */
const MOST_LINKS = 40

/**
 * Opens a file, which has another name until it is complete, the standard output, or what else has that name: a pipe or a device is
 * written as it is, which waits until somebody reads. Symbolic links are followed, and stay.
 * @throws Error that says why it can't be written
 */
export async function openExportOutput(file: string | undefined): Promise<ExportOutput> {
  // The standard output has no end to wait for.
  if (file === undefined) return { stream: process.stdout, isOwn: false, finish() {}, discard() {} }
  try {
    const path = withoutLinks(file)
    const there = statSync(path, { throwIfNoEntry: false })
    if (there?.isDirectory() === true) throw new Error('it is a folder')
    if (there !== undefined && !there.isFile()) {
      const stream = (await open(path, 'w')).createWriteStream()
      return { stream, isOwn: true, finish() {}, discard: () => void stream.destroy() }
    }
    // Of its own: another export may be writing the same file, and the one that is done last has its name.
    const part = `${path}.${randomBytes(4).toString('hex')}.part`
    const stream = (await open(part, 'wx', 0o600)).createWriteStream()
    return {
      stream,
      isOwn: true,
      finish: () => renameSync(part, path),
      discard() {
        stream.destroy()
        rmSync(part, { force: true })
      },
    }
  } catch (error) {
    throw new Error(`${file} can't be written: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** Also of a link to what is not there yet, which has no real path. */
function withoutLinks(file: string): string {
  let path = file
  for (let links = 0; lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true; links += 1) {
    if (links === MOST_LINKS) throw new Error('its symbolic links lead to each other')
    path = resolve(dirname(path), readlinkSync(path))
  }
  return path
}
