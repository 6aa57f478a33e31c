import { type Clock, EVERYTHING } from '../cache/index.js'
import { ChangesOffError, CursorExpiredError, ServiceUnavailableError, TooManyStreamsError } from '../errors.js'
import type { ChangesFeed } from './feed.js'

export interface StreamsOptions {
  readonly feed: Pick<ChangesFeed, 'page'>
  readonly clock: Clock
  /** How often a stream looks by itself, whatever it hears, in ms. */
  readonly pollMs: number
  readonly heartbeatMs?: number
}

/** Of one user on one replica, and of all users on one replica. */
const MOST_OF_USER = 10
const MOST_STREAMS = 2_000
const HEARTBEAT_MS = 15_000
/** A stream of a replica that is leaving: its reader asks again, and soon asks another replica. */
const SHORT_MS = 1_000
/** Changes that come together leave together: a stream looks at most so often. */
const GATHER_MS = 25
const PAGE_LIMIT = 200
const UUID_LENGTH = 36

/** The open streams of this replica. */
export class ChangeStreams {
  readonly #options: StreamsOptions
  readonly #ofUsers = new Map<string, Set<ChangeStream>>()
  #count = 0
  /** How long a stream lasts that is opened now, in ms. */
  #lifeMs = Number.POSITIVE_INFINITY

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#count
  }

  /**
   * A stream of what changed since the cursor. Once the replica is leaving it has what there is, and ends soon: a browser would never
   * come back after a 503.
   * @param isAllowed is asked before each page whether its reader may still read
   * @throws TooManyStreamsError, ServiceUnavailableError when there are too many in all
   */
  open(userId: string, cursor: string, isAllowed: () => Promise<boolean>): ChangeStream {
    const streams = this.#ofUsers.get(userId) ?? new Set()
    if (streams.size >= MOST_OF_USER) throw new TooManyStreamsError()
    if (this.#count >= MOST_STREAMS) throw new ServiceUnavailableError()
    const stream = new ChangeStream({
      ...this.#options,
      userId,
      cursor,
      isAllowed,
      lifeMs: this.#lifeMs,
      onEnd: () => this.#forget(stream, userId),
    })
    this.#ofUsers.set(userId, streams.add(stream))
    this.#count += 1
    return stream
  }

  /** Wakes the streams of the users that tags name: each begins with the user's id. */
  wake(tags: readonly string[]): void {
    if (this.#count === 0) return
    const users = tags.includes(EVERYTHING)
      ? this.#ofUsers.keys()
      : new Set(tags.map((tag) => tag.slice(0, UUID_LENGTH)))
    for (const user of users) {
      for (const stream of this.#ofUsers.get(user) ?? []) stream.wake()
    }
  }

  /** Ends all of them, and soon each new one: their readers go on at another replica. */
  leave(): void {
    this.#end(SHORT_MS)
  }

  /** As {@link leave}, and a new one only tells what there is. */
  close(): void {
    this.#end(0)
  }

  #end(lifeMs: number): void {
    this.#lifeMs = lifeMs
    for (const streams of this.#ofUsers.values()) for (const stream of streams) stream.end()
  }

  #forget(stream: ChangeStream, userId: string): void {
    const streams = this.#ofUsers.get(userId)
    if (streams?.delete(stream) !== true) return
    this.#count -= 1
    if (streams.size === 0) this.#ofUsers.delete(userId)
  }
}

interface StreamOptions extends StreamsOptions {
  readonly userId: string
  readonly cursor: string
  readonly isAllowed: () => Promise<boolean>
  readonly lifeMs: number
  readonly onEnd: () => void
}

/**
 * One reader's stream, as server-sent events. It reads a page when the one before has been taken: who is slow costs no more than
 * three pages of memory, and goes on from the id of the last event that arrived.
 */
export class ChangeStream {
  readonly #options: StreamOptions
  #isEnded = false
  #isWoken = false
  #interrupt: () => void = () => {}

  constructor(options: StreamOptions) {
    this.#options = options
  }

  wake(): void {
    this.#isWoken = true
    this.#interrupt()
  }

  /** May be called more than once. */
  end(): void {
    this.#isEnded = true
    this.#interrupt()
    this.#options.onEnd()
  }

  /** To be read by one reader, to its end. */
  async *events(): AsyncGenerator<string> {
    const { clock, pollMs, heartbeatMs = HEARTBEAT_MS, lifeMs } = this.#options
    let { cursor } = this.#options
    const endAt = clock.now() + lifeMs
    try {
      // Whoever loses the connection before anything has changed goes on from here.
      yield idLine(cursor)
      let beatAt = clock.now() + heartbeatMs
      while (!this.#isEnded) {
        const lookedAt = clock.now()
        this.#isWoken = false
        const page = await this.#page(cursor)
        if (page === 'over' || this.#isEnded) return
        if (page !== undefined && 'last' in page) return yield page.last
        if (page !== undefined) {
          const { text, nextCursor, isMore } = page
          cursor = nextCursor
          if (text !== '') yield text
          if (isMore) continue
        }
        if (clock.now() >= endAt) return
        await this.#pause(Math.min(lookedAt + pollMs, beatAt, endAt) - clock.now(), lookedAt)
        if (clock.now() < beatAt) continue
        beatAt = clock.now() + heartbeatMs
        yield `: still here\n${idLine(cursor)}`
      }
    } finally {
      this.end()
    }
  }

  /** `undefined` when it has to be tried again: the stream stays open while the database is away. */
  async #page(
    cursor: string,
  ): Promise<{ text: string; nextCursor: string; isMore: boolean } | { last: string } | 'over' | undefined> {
    const { feed, userId, isAllowed } = this.#options
    try {
      if (!(await isAllowed())) return 'over'
      const { changes, nextCursor, isMore } = await feed.page(userId, cursor, PAGE_LIMIT)
      const events = changes.map((change) => `id: ${change.cursor()}\ndata: ${change.json}\n\n`)
      const end = isMore || events.length === 0 ? '' : idLine(nextCursor)
      return { text: events.join('') + end, nextCursor, isMore }
    } catch (error) {
      if (!(error instanceof CursorExpiredError || error instanceof ChangesOffError)) return undefined
      const { statusCode, code, message } = error
      return { last: `event: over\ndata: ${JSON.stringify({ statusCode, code, message })}\n\n` }
    }
  }

  /** Until there is news, but no less than {@link GATHER_MS} since the last look. */
  async #pause(ms: number, lookedAt: number): Promise<void> {
    const { clock } = this.#options
    if (!this.#isWoken && !this.#isEnded) await this.#interruptible(ms)
    const early = lookedAt + GATHER_MS - clock.now()
    if (early > 0 && !this.#isEnded) await clock.sleep(early)
  }

  #interruptible(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(Math.max(0, ms), resolve)
      this.#interrupt = () => {
        cancel()
        resolve()
      }
    })
  }
}

/** An id without data: a reader takes note of it, and sees no event. */
function idLine(cursor: string): string {
  return `id: ${cursor}\n\n`
}
