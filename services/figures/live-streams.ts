import { Readable } from 'node:stream'
import type { Clock } from '../cache/index.js'

export interface LiveStreamsOptions {
  readonly clock: Pick<Clock, 'after'>
  /** What all streams are told every second; made once for all of them. */
  readonly event: () => Promise<string>
  readonly onError: (error: unknown) => void
  /** The most streams at a time. */
  readonly most?: number
}

const EVERY_MS = 1_000
const MOST_STREAMS = 20
/** So many events in a row that a reader did not take: it is gone, or too slow to look at what is live. */
const MOST_MISSED = 10
/** A browser's pause before it connects anew. */
const RETRY = 'retry: 1000\n\n'

/**
 * Server-sent events for whoever looks. While nobody does, nothing runs. A reader who is behind misses events instead of having them
 * kept, and is let go after ten.
 */
export class LiveStreams {
  readonly #options: LiveStreamsOptions
  readonly #missed = new Map<Readable, number>()
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(options: LiveStreamsOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#missed.size >= (this.#options.most ?? MOST_STREAMS)
  }

  /** @param first events that this stream alone begins with */
  open(first: string): Readable {
    const stream = new Readable({ read() {}, highWaterMark: 0 })
    stream.once('close', () => this.#forget(stream))
    stream.push(RETRY + first)
    if (this.#isClosed) {
      stream.push(null)
      return stream
    }
    this.#missed.set(stream, 0)
    if (this.#cancel === undefined) this.#next(0)
    return stream
  }

  /** Each ends properly, so that its connection does not hold up the close of the server; so does each new one, after its beginning. */
  close(): void {
    this.#isClosed = true
    for (const stream of this.#missed.keys()) stream.push(null)
    this.#missed.clear()
    this.#stop()
  }

  #forget(stream: Readable): void {
    this.#missed.delete(stream)
    if (this.#missed.size === 0) this.#stop()
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #next(ms: number): void {
    this.#cancel = this.#options.clock.after(ms, () => {
      // Each round at its second, however long the one before takes.
      this.#next(EVERY_MS)
      this.#options.event().then((event) => this.#tell(event), this.#options.onError)
    })
  }

  #tell(event: string): void {
    for (const [stream, missed] of this.#missed) {
      if (stream.readableLength === 0) {
        this.#missed.set(stream, 0)
        stream.push(event)
      } else if (missed < MOST_MISSED) this.#missed.set(stream, missed + 1)
      else stream.destroy()
    }
  }
}

/** One server-sent event. JSON has no line breaks. */
export function serverSentEvent(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
