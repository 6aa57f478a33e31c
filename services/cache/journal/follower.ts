import type { Clock } from '../clock.js'
import type { Journal, TailAnswer } from './journal.js'
import type { Knowledge } from '../core/knowledge.js'

export interface JournalFollowerOptions {
  readonly journal: Journal
  readonly knowledge: Knowledge
  readonly clock: Clock
  /** H in ms. */
  readonly boundMs: number
  /** A tail has been taken in; `isAnother`: the identity is a new one, and what was read under the old one must go. */
  readonly onTail: (answer: TailAnswer, isAnother: boolean) => void
  /** A tail has failed: {@link JournalFollower.reason} says why. */
  readonly onChange: () => void
}

/** No tail can tell what is current, and nothing else answers that could. */
export class JournalUnavailableError extends Error {
  override readonly name = 'JournalUnavailableError'
}

/** After a tail that failed; replicas that follow their journal ask as often. */
const LONGEST_PAUSE_MS = 1_000
/** Of H: as often as a replica of few reads the journal, and how seldom one of many may: a tail that comes late must still come within H. */
const [USUAL_PACE, SLOWEST_PACE] = [1 / 3, 0.6]
/** What all replicas together read a second by the clock, if the slowest pace allows it. */
const MOST_TAILS = 180

/**
 * Reads the journal every H/3, or less often where many replicas do, and at once when a read asks for it; one tail at a time.
 *
 * The **barrier** is the moment the last finished tail began: every change committed before it has been heard. The tiers
 * answer only while it is less than H old; a lost connection, a database that hangs, an event loop that stood still and
 * a suspended machine all show as a barrier that is too old.
 */
export class JournalFollower {
  readonly #options: JournalFollowerOptions
  /** The barrier by the monotonic clock, and by the wall clock, which alone goes on while a machine is suspended. */
  #barrier = Number.NEGATIVE_INFINITY
  #wallBarrier = Number.NEGATIVE_INFINITY
  /** The tail under way, or else the last one, and the one that begins after it; whether they moved the barrier. */
  #tail: Promise<boolean> = Promise.resolve(true)
  #next: Promise<boolean> | undefined
  #isStopped = false
  #cancel = (): void => {}
  /** Is the tail under way slow, and how did the last one end? The journal may answer that it can't be relied on. */
  #isSlow = false
  #hasAnswered = false
  /** How many replicas follow this journal, this one included. */
  replicas = 1
  /** Why the journal is not followed, in words. */
  reason = 'not connected yet'
  tails = 0
  /** Of these, what moved no barrier. */
  failedTails = 0
  /** How long the last finished tail took, in ms. */
  tailMs = 0

  constructor(options: JournalFollowerOptions) {
    this.#options = options
  }

  /** May the tiers answer? `now` is monotonic. */
  isFollowed(now: number): boolean {
    return this.sinceBarrier(now) < this.#options.boundMs
  }

  /** How long ago the barrier was, in ms: by the clock that says more. Before the first tail it is infinitely long ago. */
  sinceBarrier(now: number): number {
    return Math.max(now - this.#barrier, this.#options.clock.wallMs() - this.#wallBarrier)
  }

  /** Does the database answer tails, if only that the journal can't be relied on? One that is slow does not. */
  get isAnswering(): boolean {
    return this.#hasAnswered && !this.#isSlow
  }

  /** Finishes a first tail; rejects when the journal can't be reached. Afterwards it goes on by itself. */
  async start(): Promise<void> {
    // A tail that had to renew the journal moves no barrier; the next tail does.
    if (!(await this.#read())) await this.#read()
    this.#follow(this.#paceMs())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel()
    await this.#tail
  }

  /**
   * Resolves once a tail that began after this call has been taken in; `false` when that failed, or took longer than H:
   * then only the database can tell. Shared by all who wait.
   */
  settled(): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(this.#options.boundMs, () => resolve(false))
      void this.#afresh().then(resolve).finally(cancel)
    })
  }

  #follow(ms: number): void {
    this.#cancel = this.#options.clock.after(Math.max(0, ms), () => void this.#onTimer())
  }

  async #onTimer(): Promise<void> {
    const { clock, boundMs } = this.#options
    const startedAt = clock.now()
    const isAnswered = await this.#afresh()
    if (this.#isStopped) return
    const again = Math.min(boundMs * USUAL_PACE, LONGEST_PAUSE_MS)
    this.#follow(isAnswered ? startedAt + this.#paceMs() - clock.now() : again)
  }

  #paceMs(): number {
    const { boundMs } = this.#options
    const shared = (1_000 * this.replicas) / MOST_TAILS
    return Math.min(Math.max(boundMs * USUAL_PACE, shared), boundMs * SLOWEST_PACE)
  }

  /** A tail that begins after this call. */
  #afresh(): Promise<boolean> {
    this.#next ??= this.#tail.then(() => {
      this.#next = undefined
      return (this.#tail = this.#tried())
    })
    return this.#next
  }

  async #tried(): Promise<boolean> {
    if (this.#isStopped) return false
    let isAnswered = false
    try {
      isAnswered = await this.#read()
    } catch (error) {
      this.reason = error instanceof Error ? error.message : String(error)
    }
    if (!isAnswered) {
      this.failedTails += 1
      this.#options.onChange()
    }
    return isAnswered
  }

  /** Until what it returns is called a tail is waited for. What came while this process stood still has been read by the end of the turn. */
  #watch(): () => void {
    const { clock, boundMs } = this.#options
    let isOver = false
    const cancel = clock.after(boundMs / 2, () => clock.endOfTurn(() => (this.#isSlow = !isOver)))
    return () => {
      cancel()
      isOver = true
      this.#isSlow = false
    }
  }

  /** Whether it moved the barrier. */
  async #read(): Promise<boolean> {
    const { journal, knowledge, clock, onTail } = this.#options
    const [startedAt, wallStartedAt] = [clock.now(), clock.wallMs()]
    knowledge.tailBegan()
    this.tails += 1
    const answered = this.#watch()
    const answer = await journal
      .tail(knowledge.seen?.text, knowledge.identity)
      .catch((error: unknown) => {
        knowledge.tailFailed()
        this.#hasAnswered = false
        throw error
      })
      .finally(answered)
    this.#hasAnswered = true
    const { identity, fault } = answer
    if (identity === undefined) {
      knowledge.tailFailed()
      this.reason = fault ?? 'the journal can not be relied on'
      return false
    }
    this.tailMs = clock.now() - startedAt
    const isAnother = knowledge.take({ ...answer, identity })
    this.#barrier = startedAt
    this.#wallBarrier = wallStartedAt
    this.reason = 'no answer within the bound'
    onTail(answer, isAnother)
    return true
  }
}
