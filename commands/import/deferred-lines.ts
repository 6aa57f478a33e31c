import { createReadStream, createWriteStream, mkdtempSync, rmSync, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Line, linesOf } from './lines.js'

/** Lines that name rows which may come later, on the disk: memory does not grow with their number. */
export class DeferredLines {
  readonly #folder: string
  readonly #maxLineBytes: number
  #file = 0
  #stream: WriteStream | undefined
  #count = 0

  constructor(maxLineBytes: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'roundhouse-import-'))
    this.#maxLineBytes = maxLineBytes
  }

  get count(): number {
    return this.#count
  }

  async add(number: number, text: string): Promise<void> {
    this.#stream ??= createWriteStream(this.#path(), { mode: 0o600 })
    this.#count += 1
    if (!this.#stream.write(`${number} ${text.replaceAll(/[\n\r]/g, ' ')}\n`)) await once(this.#stream, 'drain')
  }

  /** All that were added so far; those that are added from now on are others. */
  async take(): Promise<AsyncIterable<Line>> {
    const [path, stream] = [this.#path(), this.#stream]
    this.#stream = undefined
    this.#count = 0
    this.#file += 1
    if (stream === undefined) return (async function* () {})()
    stream.end()
    await once(stream, 'finish')
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

  remove(): void {
    this.#stream?.destroy()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #path(): string {
    return join(this.#folder, String(this.#file))
  }
}
