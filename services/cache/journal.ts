import type { Clock } from './clock.js'
import type { RaisedTag } from './entry.js'
import type { JournalSession, JournalStore } from './journal-store.js'

export interface JournalFollowerOptions {
  readonly store: JournalStore
  readonly clock: Clock
  /** H in ms. */
  readonly boundMs: number
  /** Takes rows in, synchronously: once it returns, nothing read under a lower version is served from memory. */
  readonly onRaised: (raised: readonly RaisedTag[]) => void
  /** A tail has finished, and all it found was taken in. */
  readonly onTail: (startedAt: number) => void
  /** The journal went back in time (another database, a restored one): what was missed can't be known. */
  readonly onDiscontinuity: () => void
  readonly onChange: () => void
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

/**
 * Follows the journal on one connection: notifications as the fast path, the tail every H/3 as the truth.
 *
 * The **barrier** is the moment the last finished tail began: every write acknowledged before it has been taken in.
 * Memory may be served only while the barrier is less than H old; a lost connection, a database that hangs and an
 * event loop that stood still all show as a barrier that is too old.
 */
export class JournalFollower {
  readonly #options: JournalFollowerOptions
  #barrier = Number.NEGATIVE_INFINITY
  /** The barrier and H: memory may be served before that. */
  #currentUntil = Number.NEGATIVE_INFINITY
  #cursor: string | undefined
  #session: JournalSession | undefined
  #isStopped = false
  #finished: Promise<void> | undefined
  #wake: (() => void) | undefined
  #isWoken = false
  /** Callers of {@link JournalFollower.tailNow} that the next tail answers. */
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  /** Why the journal is not followed, in words. */
  reason = 'not connected yet'

  constructor(options: JournalFollowerOptions) {
    this.#options = options
  }

  /** The moment before which every acknowledged write has been taken in, on the monotonic clock. */
  get barrier(): number {
    return this.#barrier
  }

  isCurrent(now: number): boolean {
    return now < this.#currentUntil
  }

  /** Connects and finishes a first tail; rejects when that fails. Afterwards it reconnects by itself. */
  async start(): Promise<void> {
    await this.#connect()
    await this.#tail()
    this.#finished = this.#follow()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.tailSoon()
    await this.#session?.close()
    await this.#finished
  }

  /** Does not wait for the next H/3. */
  tailSoon(): void {
    this.#isWoken = true
    this.#wake?.()
  }

  /** Resolves once a tail that began after this call has finished; rejects when the next one fails. */
  tailNow(): Promise<void> {
    const tailed = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.tailSoon()
    return tailed
  }

  async #follow(): Promise<void> {
    const { clock, boundMs, onChange } = this.#options
    let pauseMs = FIRST_PAUSE_MS
    while (!this.#isStopped) {
      try {
        if (this.#session === undefined) await this.#connect()
        const startedAt = await this.#tailFor(this.#waiting.splice(0))
        pauseMs = FIRST_PAUSE_MS
        await this.#pause(startedAt + boundMs / 3 - clock.now())
      } catch (error) {
        for (const { reject } of this.#waiting.splice(0)) reject(error)
        if (this.#isStopped) return
        this.reason = error instanceof Error ? error.message : String(error)
        this.#abandon()
        onChange()
        await this.#pause(pauseMs)
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      }
    }
  }

  async #connect(): Promise<void> {
    const session = await this.#options.store.open((raised) => {
      if (raised.length === 0) this.tailSoon()
      else this.#options.onRaised(raised)
    })
    if (this.#isStopped) return session.close()
    this.#session = session
    void session.closed.then((error) => {
      if (this.#session !== session) return
      this.#session = undefined
      this.reason = error?.message ?? 'the connection closed'
      this.tailSoon()
    })
  }

  async #tailFor(callers: readonly { resolve: () => void; reject: (error: unknown) => void }[]): Promise<number> {
    try {
      const startedAt = await this.#tail()
      for (const { resolve } of callers) resolve()
      return startedAt
    } catch (error) {
      for (const { reject } of callers) reject(error)
      throw error
    }
  }

  async #tail(): Promise<number> {
    const { clock, onRaised, onTail, onDiscontinuity } = this.#options
    const session = this.#session
    if (session === undefined) throw new Error(this.reason)
    const startedAt = clock.now()
    const { cursor, raised } = await session.tail(this.#cursor)
    if (this.#cursor !== undefined && BigInt(cursor) < BigInt(this.#cursor)) onDiscontinuity()
    this.#cursor = cursor
    onRaised(raised)
    this.#barrier = startedAt
    this.#currentUntil = startedAt + this.#options.boundMs
    onTail(startedAt)
    return startedAt
  }

  #abandon(): void {
    const session = this.#session
    this.#session = undefined
    session?.close().catch(() => undefined)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#wake = undefined
        this.#isWoken = false
        resolve()
      }
      const cancel = this.#options.clock.after(Math.max(0, ms), done)
      this.#wake = done
      if (this.#isWoken) done()
    })
  }
}
