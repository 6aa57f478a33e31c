import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
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

/** Prints lines that are not in, the first of each fault. When there are more, all of them are in a file. */
export class Report {
  readonly #options: ReportOptions
  readonly #counts = new Map<string, number>()
  /** Those before the file was opened: few. */
  #kept: string[] = []
  #file: { readonly path: string; readonly descriptor: number } | undefined
  #unprinted = 0

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
    if (this.#file === undefined) return
    closeSync(this.#file.descriptor)
    const more = this.#unprinted === 1 ? 'One more is' : `${this.#unprinted.toLocaleString('en-US')} more are`
    this.#options.print(`${more} not printed, each like ${MOST_ALIKE} above: all of them are in ${this.#file.path}`)
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
    if (this.#file === undefined) {
      this.#kept.push(text)
      if (this.#unprinted === 0) return
      this.#file = this.#open()
      for (const line of this.#kept) writeSync(this.#file.descriptor, `${line}\n`)
      this.#kept = []
    } else writeSync(this.#file.descriptor, `${text}\n`)
  }

  #open(): { readonly path: string; readonly descriptor: number } {
    const path = this.#options.file ?? join('.', `import-faults-${process.pid}.ndjson`)
    return { path, descriptor: openSync(path, this.#options.file === undefined ? 'wx' : 'w', 0o600) }
  }
}

/** A fault without what is of one line: values in quotes and brackets, ids and numbers. */
function shapeOf(reason: string): string {
  if (reason.startsWith('not valid JSON')) return 'not valid JSON'
  return reason
    .replaceAll(/ is .* there and .* here$/gs, ' differs')
    .replaceAll(/\([^)]*\)|"[^"]*"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gs, '')
    .replaceAll(/\d+/g, '')
}
