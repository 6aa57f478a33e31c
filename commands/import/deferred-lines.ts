import { createReadStream, createWriteStream, mkdtempSync, rmSync, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { type Line, linesOf } from './lines.js'

/** Lines that name rows which may come later, on the disk: memory does not grow with their number. */
export class DeferredLines {
  readonly #maxLineBytes: number
  /** There is none until a line waits. */
  #folder: string | undefined
  #file = 0
  #stream: WriteStream | undefined
  #error: Error | undefined
  #count = 0

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  get count(): number {
    return this.#count
  }

  /** @throws Error when the disk does not take it */
  async add(number: number, text: string): Promise<void> {
    if (this.#error !== undefined) throw notKept(this.#error)
    try {
      this.#stream ??= this.#open()
      this.#count += 1
      if (!this.#stream.write(`${number} ${text.replaceAll(/[\n\r]/g, ' ')}\n`)) await once(this.#stream, 'drain')
    } catch (error) {
      throw notKept(error)
    }
  }

  /**
   * All that were added so far; those that are added from now on are others.
   * @throws Error when the disk did not take them
   */
  async take(): Promise<AsyncIterable<Line>> {
    const [path, stream] = [this.#path(), this.#stream]
    this.#stream = undefined
    this.#count = 0
    this.#file += 1
    if (stream === undefined) return (async function* () {})()
    try {
      stream.end()
      await finished(stream)
    } catch (error) {
      throw notKept(error)
    }
    return this.#read(path)
  }

  async *#read(path: string): AsyncGenerator<Line> {
    // The number and a space come before the text.
    for await (const line of linesOf(createReadStream(path), this.#maxLineBytes + 32)) {
      const text = 'text' in line ? line.text : ''
      const end = text.indexOf(' ')
      yield { number: Number(text.slice(0, end)), text: text.slice(end + 1) }
    }
    rmSync(path, { force: true })
  }

  /** Also while lines are being written: the folder goes once nothing is written to it. */
  async remove(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    if (stream !== undefined && !stream.closed) {
      const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
      stream.destroy()
      await closed
    }
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }

  #open(): WriteStream {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'roundhouse-import-'))
    const stream = createWriteStream(this.#path(), { mode: 0o600 })
    // Nobody may wait for the stream when it fails: the next line, or the end, tells.
    return stream.on('error', (error) => (this.#error ??= error))
  }

  #path(): string {
    return join(this.#folder ?? tmpdir(), String(this.#file))
  }
}

function notKept(error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error)
  const where = `${tmpdir()}, where lines wait for rows that come later, can't be written: ${why}`
  return new Error(`${where} (TMPDIR names another folder)`, { cause: error })
}
