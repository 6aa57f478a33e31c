import { type ImportOutcome, SHOWN } from '../../services/resource/import/row.js'
import { poisonousName } from '../../services/json-names.js'
import { inexactNumber } from '../../services/json-numbers.js'
import { faultText } from '../../services/texts.js'
import { DeferredLines } from './deferred-lines.js'
import { type Kind, kindOf, recognised } from './kinds.js'
import type { Line } from './lines.js'
import { type Kept, LineReader } from './reader.js'
import { lengthFault } from './row-bytes.js'
import type { BatchWriter, Waiting } from './writer.js'

export type Counts = Record<'read' | 'created' | 'updated' | 'equal' | 'there' | 'different' | 'refused', number>

/** A line that is not in as it stands. */
export interface Trouble {
  readonly line: number
  readonly outcome: 'refused' | 'different'
  /** All that is wrong with it, or differs. */
  readonly reasons: readonly string[]
}

export interface ImportOptions {
  readonly lines: AsyncIterable<Line>
  readonly maxLineBytes: number
  readonly writer: BatchWriter
  /** Every line is of this kind; `undefined`: each line tells. */
  readonly kind: Kind | undefined
  readonly kept: Kept
  /** Told of each line that is not in; in the order of the file, but for those that waited for rows to come later. */
  readonly onTrouble: (trouble: Trouble) => void
  /** Told the counts after each batch, which is then committed. */
  readonly onBatch: (counts: Readonly<Counts>) => void
  /** Ends the import after the batch under way. */
  readonly signal: AbortSignal
}

/** A batch is one transaction per kind and user: at most this many lines, and about this much text. */
const BATCH_LINES = 500
const BATCH_CHARACTERS = 4 * 1024 * 1024

/**
 * Imports line by line and goes on after those that are refused. What names rows that are not there waits for the end of the file, as
 * often as that helps. What is committed stays: after an interruption the same import again finds those rows already there.
 * @throws what reading the lines and writing the rows throw
 */
export async function importLines(options: ImportOptions): Promise<Counts> {
  const deferred = new DeferredLines(options.maxLineBytes)
  const batch = new Batch(options, deferred)
  try {
    await readAll(options.lines, batch, options.signal)
    for (let before = Infinity; deferred.count > 0 && !options.signal.aborted;) {
      // When none of them found what it names, none of them ever will.
      batch.isLastLook = deferred.count === before
      before = deferred.count
      await readAll(await deferred.take(), batch, options.signal)
    }
    return batch.counts
  } finally {
    await deferred.remove()
  }
}

async function readAll(lines: AsyncIterable<Line>, batch: Batch, signal: AbortSignal): Promise<void> {
  try {
    for await (const line of lines) {
      batch.add(line)
      if (!batch.isFull) continue
      await batch.write()
      if (signal.aborted) return
    }
  } catch (error) {
    // The reading itself was interrupted.
    if (signal.aborted && error instanceof Error && error.name === 'AbortError') return
    throw error
  }
  await batch.write()
}

/** Stands behind what is wrong with a line whose kind nobody has said: perhaps it is of another one. */
const GUESSED = '(guessed: set "kind", or --into)'

class Batch {
  readonly counts: Counts = { read: 0, created: 0, updated: 0, equal: 0, there: 0, different: 0, refused: 0 }
  /** What names rows that are not there is refused, and waits no longer. */
  isLastLook = false
  readonly #options: ImportOptions
  readonly #deferred: DeferredLines
  readonly #readers = new Map<Kind, LineReader>()
  #waiting: (Waiting & { readonly line: number; readonly text: string })[] = []
  #troubles: Trouble[] = []
  #lines = 0
  #characters = 0

  constructor(options: ImportOptions, deferred: DeferredLines) {
    this.#options = options
    this.#deferred = deferred
  }

  get isFull(): boolean {
    return this.#lines >= BATCH_LINES || this.#characters >= BATCH_CHARACTERS
  }

  add(line: Line): void {
    this.#lines += 1
    this.counts.read += 1
    if ('text' in line) this.#characters += line.text.length
    const reasons = 'fault' in line ? [line.fault] : this.#addText(line.number, line.text)
    if (reasons.length > 0) this.#refuse(line.number, reasons)
  }

  async write(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const outcomes = await this.#options.writer.write(waiting)
    for (const [index, { line, text }] of waiting.entries()) {
      const outcome = outcomes[index]
      if (outcome === undefined) throw new Error(`Nobody knows what became of line ${line}`)
      if (outcome.outcome === 'refused' && outcome.isEarly && !this.isLastLook) {
        this.counts.read -= 1
        await this.#deferred.add(line, text)
      } else this.#count(line, outcome)
    }
    for (const trouble of this.#troubles.sort((a, b) => a.line - b.line)) this.#options.onTrouble(trouble)
    this.#troubles = []
    this.#lines = 0
    this.#characters = 0
    this.#options.onBatch(this.counts)
  }

  #count(line: number, outcome: ImportOutcome): void {
    if (outcome.outcome === 'refused') return this.#refuse(line, outcome.reasons)
    this.counts[outcome.outcome] += 1
    if (outcome.outcome !== 'different') return
    const differing = outcome.differences.map(({ column, there, here }) => {
      if (there === undefined || here === undefined) return `${column} differs`
      return `${column} is ${shortened(there)} there and ${shortened(here)} here`
    })
    const why = outcome.isNew
      ? ['it was written since the import began, perhaps by an earlier line with the same key']
      : []
    this.#troubles.push({ line, outcome: 'different', reasons: [...differing, ...why] })
  }

  #refuse(line: number, reasons: readonly string[]): void {
    this.counts.refused += 1
    this.#troubles.push({ line, outcome: 'refused', reasons })
  }

  #addText(line: number, text: string): readonly string[] {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return [`not valid JSON: ${error instanceof Error ? error.message : String(error)}`]
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['not a JSON object']
    const fault = inexactNumber(text) ?? poisonousName(value)
    if (fault !== undefined) return [faultText(fault)]
    const { kind, isGuessed } = this.#kindOf(value)
    if (kind === undefined) return [`not recognised, by their fields: ${recognised}: set "kind", or --into`]
    const read = this.#reader(kind).read(value)
    if (!('row' in read)) return isGuessed ? [...read.slice(0, -1), `${read.at(-1)} ${GUESSED}`] : read
    const tooLong = lengthFault(text, read.row.body)
    if (tooLong !== undefined) return [tooLong]
    this.#waiting.push({ kind, line, text, ...read })
    return []
  }

  #kindOf(value: object): ReturnType<typeof kindOf> {
    const { kind } = this.#options
    return kind === undefined ? kindOf(value) : { kind, isGuessed: false }
  }

  #reader(kind: Kind): LineReader {
    const known = this.#readers.get(kind) ?? new LineReader(kind, this.#options.kept)
    this.#readers.set(kind, known)
    return known
  }
}

function shortened(json: string): string {
  return json.length > SHOWN ? `${json.slice(0, SHOWN)}…` : json
}
