import { accessSync, closeSync, constants, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Trouble } from './importer.js'

export interface ReportOptions {
  readonly noun: string
  /** Where all are written once there are too many to print; a name of its own in the current folder when left out. */
  readonly file: string | undefined
  readonly print: (line: string) => void
}

/** Of one fault so many lines are printed. */
const MOST_ALIKE = 20
/** Faults that are told apart; what comes later counts as one of them. */
const MOST_FAULTS = 100

/** In one folder so many names are tried: a container has the same process id every time. */
const MOST_NAMES = 1_000

/**
 * Says before an import what would only be found out in the middle of it.
 * @throws Error when the file can't be written
 */
export function checkFaultsFile(path: string): void {
  try {
    if (!existsSync(path)) accessSync(dirname(path), constants.W_OK)
    else if (statSync(path).isDirectory()) throw new Error('it is a folder')
    else accessSync(path, constants.W_OK)
  } catch (error) {
    throw new Error(`--faults: ${path} can't be written: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Prints lines that are not in, the first of each fault. When there are more, all of them are in a file. Without a file that can be written the
 * import goes on, and the end says that some are nowhere.
 */
export class Report {
  readonly #options: ReportOptions
  readonly #counts = new Map<string, number>()
  /** Those before the file was opened: few. */
  #kept: string[] = []
  #file: { readonly path: string; readonly descriptor: number } | undefined
  #unprinted = 0
  /** Why no file has them. */
  #lost: string | undefined

  constructor(options: ReportOptions) {
    this.#options = options
  }

  add(trouble: Trouble): void {
    const { line, outcome, reasons } = trouble
    const text = reasons.join('; ')
    if (this.#isNews(trouble)) {
      this.#options.print(`${this.#options.noun} ${line}: ${outcome === 'different' ? 'different: ' : ''}${text}`)
    } else this.#unprinted += 1
    this.#keep(JSON.stringify({ line, outcome, reasons }))
  }

  /** What was left out, and where it is. */
  end(): void {
    if (this.#file !== undefined) closeSync(this.#file.descriptor)
    if (this.#file === undefined && this.#lost === undefined) return
    const more = this.#unprinted === 1 ? 'One more is' : `${this.#unprinted.toLocaleString('en-US')} more are`
    const where =
      this.#lost === undefined
        ? `all of them are in ${this.#file?.path}`
        : `no file has all of them, since it can't be written: ${this.#lost} (--faults names another one)`
    this.#options.print(`${more} not printed, each like ${MOST_ALIKE} above: ${where}`)
  }

  /** Whether one of its faults was printed less often than it may be. */
  #isNews({ outcome, reasons }: Trouble): boolean {
    let isNews = false
    for (const reason of reasons) {
      const shape = `${outcome} ${shapeOf(reason)}`
      const fault = this.#counts.has(shape) || this.#counts.size < MOST_FAULTS ? shape : ''
      const count = (this.#counts.get(fault) ?? 0) + 1
      this.#counts.set(fault, count)
      if (count <= MOST_ALIKE) isNews = true
    }
    return isNews
  }

  #keep(text: string): void {
    if (this.#lost !== undefined) return
    this.#kept.push(text)
    if (this.#unprinted === 0) return
    try {
      this.#file ??= this.#open()
      for (const line of this.#kept) writeSync(this.#file.descriptor, `${line}\n`)
    } catch (error) {
      this.#lost = messageOf(error)
    }
    this.#kept = []
  }

  #open(): { readonly path: string; readonly descriptor: number } {
    const path = this.#options.file
    if (path !== undefined) return { path, descriptor: openSync(path, 'w', 0o600) }
    // The folder of a program in an image is not its user's.
    try {
      return openNew('.')
    } catch {
      return openNew(tmpdir())
    }
  }
}

/** @throws Error when the folder takes no file */
function openNew(folder: string): { readonly path: string; readonly descriptor: number } {
  for (let number = 1; ; number += 1) {
    const path = join(folder, `import-faults-${process.pid}${number === 1 ? '' : `-${number}`}.ndjson`)
    try {
      return { path, descriptor: openSync(path, 'wx', 0o600) }
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST'
      if (!isTaken || number === MOST_NAMES) throw error
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A fault without what is of one line: values in quotes and brackets, ids and numbers. */
function shapeOf(reason: string): string {
  if (reason.startsWith('not valid JSON')) return 'not valid JSON'
  return reason
    .replaceAll(/ is .* there and .* here$/gs, ' differs')
    .replaceAll(/\([^)]*\)|"[^"]*"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gs, '')
    .replaceAll(/\d+/g, '')
}
