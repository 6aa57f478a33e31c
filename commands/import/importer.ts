import type { Line } from './lines.js'
import { type Kind, kindOf, recognised, type Target } from './targets.js'

export interface Counts {
  /** Lines that are not empty. */
  read: number
  imported: number
  alreadyThere: number
  bad: number
}

export interface ImportOptions {
  readonly lines: AsyncIterable<Line>
  readonly targets: ReadonlyMap<Kind, Target>
  /** Every line is of this kind; `undefined`: each line's own fields tell. */
  readonly kind: Kind | undefined
  /** Told of each bad line, in the order of the file. */
  readonly onBad: (line: number, reason: string) => void
  /** Told the counts after each batch, which is then committed. */
  readonly onBatch: (counts: Readonly<Counts>) => void
  /** Ends the import after the batch under way. */
  readonly signal: AbortSignal
}

/** A batch is one transaction per kind: at most this many lines, and about this much text. */
const BATCH_LINES = 500
const BATCH_CHARACTERS = 4 * 1024 * 1024

/**
 * Imports line by line and goes on after bad ones. What is committed stays: after an interruption the same import again
 * finds those rows already there.
 * @throws what reading the lines and writing the rows throw
 */
export async function importLines(options: ImportOptions): Promise<Counts> {
  const batch = new Batch(options)
  for await (const line of options.lines) {
    batch.add(line)
    if (!batch.isFull) continue
    await batch.write()
    if (options.signal.aborted) return batch.counts
  }
  await batch.write()
  return batch.counts
}

class Batch {
  readonly counts: Counts = { read: 0, imported: 0, alreadyThere: 0, bad: 0 }
  readonly #options: ImportOptions
  #faults: [line: number, reason: string][] = []
  #lines = 0
  #characters = 0

  constructor(options: ImportOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#lines >= BATCH_LINES || this.#characters >= BATCH_CHARACTERS
  }

  add(line: Line): void {
    this.#lines += 1
    this.counts.read += 1
    if ('text' in line) this.#characters += line.text.length
    const fault = 'fault' in line ? line.fault : this.#addText(line.number, line.text)
    if (fault !== undefined) this.#faults.push([line.number, fault])
  }

  async write(): Promise<void> {
    for (const target of this.#options.targets.values()) {
      for (const { line, outcome } of await target.write()) {
        if (outcome === 'created') this.counts.imported += 1
        else if (outcome === 'already there') this.counts.alreadyThere += 1
        else this.#faults.push([line, outcome.message])
      }
    }
    this.counts.bad += this.#faults.length
    for (const [line, reason] of this.#faults.sort(([a], [b]) => a - b)) this.#options.onBad(line, reason)
    this.#faults = []
    this.#lines = 0
    this.#characters = 0
    this.#options.onBatch(this.counts)
  }

  #addText(number: number, text: string): string | undefined {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return `not valid JSON: ${error instanceof Error ? error.message : String(error)}`
    }
    const kind = this.#options.kind ?? kindOf(value)
    const target = kind === undefined ? undefined : this.#options.targets.get(kind)
    return target === undefined ? `not recognised, by their fields: ${recognised}` : target.add(number, value)
  }
}
