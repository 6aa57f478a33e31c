import type { Clock } from '../clock.js'

export interface CircuitBreakerOptions {
  readonly clock: Clock
  /** Resolves when the server answers. */
  readonly ping: () => Promise<unknown>
  /** Why there is no connection, in better words than a ping is told then; empty while that is not known, `undefined` when there is one. */
  readonly whyNotConnected?: () => string | undefined
  /** {@link CircuitBreaker.isDown} or {@link CircuitBreaker.isLost} has changed. */
  readonly onChange: () => void
  /** It answers again. */
  readonly onAnswer?: () => void
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500
/** No answer for so long is an outage. What is shorter is over before anybody could do anything about it. */
const OUTAGE_MS = 1_000
/** And for so long while the client has not said why it has no connection: the line that tells of it should. */
const UNEXPLAINED_OUTAGE_MS = 3_000
/** Outages within this time of each other are one that comes and goes. */
const FLAPPING_MS = 300_000
/** So many in that time are told as they are; after each further one it takes twice as long until it counts as over. */
const TOLD_AT_ONCE = 2
const FIRST_HOLD_MS = 2_000
const LONGEST_HOLD_MS = 60_000

/**
 * Keeps requests away from a server that does not answer. One failure opens it, so that no request waits for a time limit twice; it
 * closes with the first ping that is answered. One ping at a time, with growing pauses. What it tells is slower: see {@link isDown}.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  readonly #outages: number[] = []
  #isStopped = false
  #openedAt = 0
  #cancelHold = (): void => {}
  /** No request goes there. */
  isOpen = false
  /** It has not answered for a second, or not yet at all; or it comes and goes, and has not answered for long enough since. */
  isDown = false
  /** Down, and that for a second: worth telling. */
  isLost = false
  /** How often it has opened, the start included. */
  openings = 0
  /** Why it is open, in the server's or the client's own words. */
  reason = 'not connected yet'
  /** Resolves when the first ping has had its answer, or none. */
  readonly begun: Promise<void>
  #hasBegun = (): void => {}

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
    this.begun = new Promise((resolve) => (this.#hasBegun = resolve))
  }

  /** Open until it has answered once. */
  begin(): void {
    this.isDown = true
    this.#open()
  }

  failed(error: unknown): void {
    if (this.isOpen || this.#isStopped) return
    this.reason = wordsOf(error)
    this.#open()
  }

  /** One ping, whose failure opens it. Never rejects. */
  async check(): Promise<void> {
    const failure = await failureOf(this.#options.ping)
    if (failure !== undefined) this.failed(failure)
  }

  /** For good: no request goes there any more, and no ping. */
  stop(): void {
    this.isOpen = true
    this.#isStopped = true
    this.#cancelHold()
    this.#hasBegun()
  }

  #open(): void {
    this.isOpen = true
    this.openings += 1
    this.#openedAt = this.#options.clock.now()
    this.#cancelHold()
    void this.#probe()
  }

  async #probe(): Promise<void> {
    const { clock, ping, whyNotConnected } = this.#options
    for (let ms = FIRST_PAUSE_MS; this.isOpen && !this.#isStopped; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      const failure = await failureOf(ping)
      if (this.#isStopped) return
      if (failure === undefined) this.#answered()
      else {
        const why = whyNotConnected?.()
        this.reason = why || wordsOf(failure)
        const outageMs = why === '' ? UNEXPLAINED_OUTAGE_MS : OUTAGE_MS
        if (clock.now() - this.#openedAt >= outageMs) this.#isAway()
      }
      this.#hasBegun()
      if (this.isOpen) await clock.sleep(ms)
    }
  }

  #isAway(): void {
    if (this.isLost) return
    const now = this.#options.clock.now()
    while (this.#outages.length > 0 && now - (this.#outages[0] ?? 0) > FLAPPING_MS) this.#outages.shift()
    this.#outages.push(now)
    this.isDown = this.isLost = true
    this.#options.onChange()
  }

  #answered(): void {
    this.isOpen = false
    if (this.isDown) this.#cancelHold = this.#isBackAfter(this.#holdMs)
    this.#options.onAnswer?.()
  }

  get #holdMs(): number {
    const more = this.#outages.length - TOLD_AT_ONCE
    return more > 0 ? Math.min(FIRST_HOLD_MS * 2 ** (more - 1), LONGEST_HOLD_MS) : 0
  }

  /** @returns what takes that back, while it has not happened */
  #isBackAfter(ms: number): () => void {
    const isBack = (): void => {
      this.isDown = this.isLost = false
      this.#options.onChange()
    }
    if (ms > 0) return this.#options.clock.after(ms, isBack)
    isBack()
    return () => {}
  }
}

/** Why there was no answer, also of a client that throws instead of rejecting; `undefined` when there was one. */
async function failureOf(request: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await request()
    return undefined
  } catch (error) {
    if (isRefusal(error) && ANSWERS.test(wordsOf(error))) return undefined
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Refusals of a ping by a server that answers other commands. */
const ANSWERS = /^(NOPERM|MISCONF|READONLY|OOM) /

/** Did the server answer, in words of its own, that it does not do this? By the name that ioredis gives such an error. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

/** What ioredis wraps around the words of a server that ends the connection before anything was asked. */
const ASIDE = /^Command queue state error\..* Last (?:error|reply): |\. Please report this\.$/g

/** What an error says, or the errors that it was made of. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const last = 'lastNodeError' in error && error.lastNodeError
  if (last) return `${error.message} ${wordsOf(last)}`
  if (error.message !== '') return error.message.replace(ASIDE, '')
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join(', ')
  return 'code' in error ? String(error.code) : error.name
}

export type RefusalKind = 'reads' | 'writes'

interface Refusal {
  words: string
  at: number
  readonly codes: Set<string>
}

/** A refusal is over when the like was done and none has come for so long. */
const QUIET_MS = 10_000
const RETRY_EVERY_MS = 5_000

/** What a server refuses that answers otherwise. Told once when it begins, once for each further reason, and once when it is over. */
export class Refusals {
  readonly #clock: Clock
  readonly #tell: (kind: RefusalKind, words: string | undefined) => void
  readonly #kinds = new Map<RefusalKind, Refusal>()
  /** Commands refused so far. */
  count = 0

  constructor(clock: Clock, tell: (kind: RefusalKind, words: string | undefined) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  refused(kind: RefusalKind, words: string): void {
    this.count += 1
    const refusal = this.#kinds.get(kind) ?? { words, at: 0, codes: new Set<string>() }
    this.#kinds.set(kind, refusal)
    refusal.words = words
    refusal.at = this.#clock.now()
    const isNew = !refusal.codes.has(codeOf(words))
    refusal.codes.add(codeOf(words))
    if (isNew) this.#tell(kind, words)
  }

  done(kind: RefusalKind): void {
    if (this.#kinds.size === 0) return
    const refusal = this.#kinds.get(kind)
    if (refusal === undefined || this.#clock.now() - refusal.at < QUIET_MS) return
    this.#kinds.delete(kind)
    this.#tell(kind, undefined)
  }

  /** Is something of the kind refused, and has not been tried for a while? */
  isDue(kind: RefusalKind): boolean {
    const refusal = this.#kinds.get(kind)
    return refusal !== undefined && this.#clock.now() - refusal.at >= RETRY_EVERY_MS
  }

  /** `writes (OOM)`; `undefined` when nothing is refused. The server's own words are for its operator, not for everybody. */
  get inShort(): string | undefined {
    const kinds = [...this.#kinds].map(([kind, { words }]) => `${kind} (${codeOf(words)})`)
    return kinds.length === 0 ? undefined : kinds.join(', ')
  }
}

function codeOf(words: string): string {
  return /^[A-Z]+/.exec(words)?.[0] ?? 'ERR'
}
