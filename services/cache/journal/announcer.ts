import type { Clock } from '../clock.js'
import { stringsIn } from '../redis/entry-codec.js'
import { EVERYTHING } from '../core/heard.js'
import type { Announcements, Journal } from './journal.js'

export interface AnnouncerOptions {
  readonly listen: NonNullable<Journal['listen']>
  readonly clock: Clock
  /** H in ms. */
  readonly boundMs: number
  /** How many replicas listen, this one included. */
  readonly replicas: () => number
  /** Names this process among the replicas. */
  readonly sender: string
  /** Tags that may have changed: from another replica, or `*` after a gap in which anything may have been announced. */
  readonly onHint: (tags: readonly string[]) => void
  readonly onError: (error: unknown) => void
}

/** Postgres refuses payloads of 8,000 bytes and more. */
const MOST_PAYLOAD_BYTES = 7_900
/**
 * Announcements of so many ms leave together, or of more where many replicas listen. Each takes a transaction id and wakes this process, the server and
 * the others: with one for each write, a client that writes one row after the other waits for that.
 */
const GATHER_MS = 5
/** How many listeners all replicas together wake a second, where each announces as often as it may: each takes the server about 0.03 ms. */
const MOST_WAKES = 3_300
/** An announcement of one's own that has not come back after this is not coming. */
const DEAF_AFTER_MS = 5_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

/**
 * Tells the other replicas, after the commit, which tags have changed, and hears what they tell. It makes news travel in
 * milliseconds; the bound does not depend on it. A connection of its own: a pending NOTIFY holds one lock for the whole server until
 * its transaction has ended, so it must never be part of a write.
 */
export class Announcer {
  readonly #options: AnnouncerOptions
  readonly #waiting = new Set<string>()
  #connection: Announcements | undefined
  #isSending = false
  #hasFailed = false
  #isStopped = false
  #sentAt: number | undefined
  #gatherUntil = Number.NEGATIVE_INFINITY

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** Connects, again and again, until it is stopped. */
  async run(): Promise<void> {
    const { listen, clock, onHint, onError } = this.#options
    for (let pauseMs = FIRST_PAUSE_MS; !this.#isStopped; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const connection = await listen((payload) => this.#hear(payload))
        if (this.#isStopped) return await connection.close()
        this.#connection = connection
        pauseMs = FIRST_PAUSE_MS
        // Whatever was announced before this moment was missed.
        onHint([EVERYTHING])
        await connection.closed
      } catch (error) {
        if (!this.#isStopped) onError(error)
      }
      this.#hasFailed = true
      this.#connection = undefined
      this.#sentAt = undefined
      if (!this.#isStopped) await clock.sleep(pauseMs)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#connection?.close()
  }

  /** The journal was made anew, so its channel may have another name: connect again. */
  reconnect(): void {
    this.#connection?.close().catch(this.#options.onError)
  }

  /**
   * `connecting`: for the first time, as every replica does at its start. `deaf`: what was sent does not come back, as behind a
   * pooler that hands each transaction to another connection.
   */
  get state(): 'connecting' | 'healthy' | 'deaf' | 'unavailable' {
    if (this.#connection === undefined) return this.#hasFailed ? 'unavailable' : 'connecting'
    const isOverdue = this.#sentAt !== undefined && this.#options.clock.now() - this.#sentAt > DEAF_AFTER_MS
    return isOverdue ? 'deaf' : 'healthy'
  }

  announce(tags: readonly string[]): void {
    if (this.#connection === undefined) return
    for (const tag of tags) this.#waiting.add(tag)
    if (!this.#isSending) void this.#send()
  }

  async #send(): Promise<void> {
    const { clock, boundMs, replicas, sender, onError } = this.#options
    this.#isSending = true
    while (this.#waiting.size > 0 && this.#connection !== undefined) {
      // Nothing is timed while writes are rare: a timer that wakes the process costs it as much as the announcement.
      const early = this.#gatherUntil - clock.now()
      if (early >= boundMs) {
        // Everybody's next tail tells of it before.
        this.#waiting.clear()
        break
      }
      if (early > 0) {
        await clock.sleep(early)
        continue
      }
      const payloads = payloadsOf(sender, [...this.#waiting])
      this.#waiting.clear()
      this.#sentAt ??= clock.now()
      try {
        for (const payload of payloads) await this.#connection.announce(payload)
      } catch (error) {
        onError(error)
      }
      this.#gatherUntil = clock.now() + Math.max(GATHER_MS, (1_000 * payloads.length * replicas() ** 2) / MOST_WAKES)
    }
    this.#isSending = false
  }

  #hear(payload: string): void {
    const [sender, ...tags] = stringsIn(payload) ?? ['', EVERYTHING]
    if (sender === this.#options.sender) this.#sentAt = undefined
    else this.#options.onHint(tags)
  }
}

/** JSON arrays of strings, the sender first; as many as the length of a payload asks for. A tag too long for one can't be named. */
function payloadsOf(sender: string, tags: readonly string[]): string[] {
  const whole = JSON.stringify([sender, ...tags])
  if (Buffer.byteLength(whole) <= MOST_PAYLOAD_BYTES) return [whole]
  if (tags.length <= 1) return [JSON.stringify([sender, EVERYTHING])]
  const half = tags.length >> 1
  return [...payloadsOf(sender, tags.slice(0, half)), ...payloadsOf(sender, tags.slice(half))]
}

/** Reasons that are remembered: a text of the server may name an address or a time, and each would be another one. */
const MOST_REASONS = 20

/** What the announcer fails at. It tries again every two seconds, so each reason is told once, until something has been heard again. */
export class AnnouncerFailures {
  readonly #told = new Set<string>()

  heard(): void {
    this.#told.clear()
  }

  /** What failed, in words; `undefined` where that was told already. */
  wordsFor(error: unknown, state: Announcer['state'] | undefined): string | undefined {
    const isConnected = state === 'healthy' || state === 'deaf'
    const words = isConnected ? 'an announcement' : 'listening for announcements'
    const reason = `${words}: ${error instanceof Error ? error.message : String(error)}`
    if (this.#told.has(reason) || this.#told.size >= MOST_REASONS) return undefined
    this.#told.add(reason)
    return words
  }
}
