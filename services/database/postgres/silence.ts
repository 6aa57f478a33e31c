import { DatabaseUnavailableError, sqlState } from '../errors.js'

export interface SilenceOptions {
  /** How long nothing may come while somebody waits, in ms. */
  readonly afterMs: number
  /** Asks the server anything, over a connection that nobody else has. */
  readonly probe: () => Promise<unknown>
}

/** In ms. */
const TICK_MS = 100

/**
 * Tells a server that hangs from one that is slow, or whose tables are locked. It hangs when nothing has come from it for a while, over
 * any connection, although somebody waits and a new connection was tried. Then nobody waits any more, and nobody begins to, until
 * something comes.
 *
 * Ticks are counted, not time: after this process itself stood still, answers are read before the second tick.
 */
export class Silence {
  readonly #options: SilenceOptions
  readonly #waiting = new Set<() => void>()
  #ticks = 0
  #timer: NodeJS.Timeout | undefined
  #isProbing = false
  #isEnded = false

  constructor(options: SilenceOptions) {
    this.#options = options
  }

  get isSilent(): boolean {
    return this.#ticks * TICK_MS >= this.#options.afterMs
  }

  /** Something has come from the server. */
  heard(): void {
    this.#ticks = 0
  }

  /**
   * Somebody waits for the server until what this returns is called.
   * @param giveUp called once when the server turns out to be silent
   * @throws DatabaseUnavailableError when it is already
   */
  wait(giveUp: () => void): () => void {
    if (this.isSilent) throw silent()
    this.#waiting.add(giveUp)
    if (!this.#isEnded) this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
    return () => void this.#waiting.delete(giveUp)
  }

  /**
   * What `work` resolves with; rejects as soon as the server is silent, while `work` may go on. Does not begin when it is already.
   * @throws DatabaseUnavailableError
   */
  async during<T>(work: () => Promise<T>, giveUp: () => void): Promise<T> {
    if (this.isSilent) throw silent()
    let end = (): void => {}
    const silence = new Promise<never>((_, reject) => {
      const onSilent = (): void => {
        giveUp()
        reject(silent())
      }
      end = this.wait(onSilent)
    })
    try {
      return await Promise.race([work(), silence])
    } finally {
      end()
    }
  }

  end(): void {
    this.#isEnded = true
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    if (this.#waiting.size === 0 && !this.isSilent) {
      clearInterval(this.#timer)
      this.#timer = undefined
      this.#ticks = 0
      return
    }
    this.#ticks += 1
    if (this.#ticks * TICK_MS >= this.#options.afterMs / 3) this.#probe()
    if (!this.isSilent) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const giveUp of waiting) giveUp()
  }

  #probe(): void {
    if (this.#isProbing) return
    this.#isProbing = true
    this.#options
      .probe()
      .then(
        () => this.heard(),
        // A refusal is an answer too.
        (error: unknown) => void (sqlState(causeOf(error)) !== undefined && this.heard()),
      )
      .finally(() => (this.#isProbing = false))
  }
}

function silent(): Error {
  return new DatabaseUnavailableError('nothing comes from the server')
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? (error.cause ?? error) : error
}
