import type { Clock } from './clock.js'
import type { Journal, TailAnswer } from './journal.js'
import type { Knowledge } from './knowledge.js'

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

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

/**
 * Reads the journal every H/3, and at once when a read asks for it; one tail at a time.
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
  #isStopped = false
  #finished: Promise<void> | undefined
  #wake: (() => void) | undefined
  #waiting: ((isAnswered: boolean) => void)[] = []
  /** Why the journal is not followed, in words. */
  reason = 'not connected yet'
  tails = 0

  constructor(options: JournalFollowerOptions) {
    this.#options = options
  }

  /** On the monotonic clock; before the first tail it is infinitely long ago. */
  get barrier(): number {
    return this.#barrier
  }

  /** May the tiers answer? `now` is monotonic. */
  isFollowed(now: number): boolean {
    return this.sinceBarrier(now) < this.#options.boundMs
  }

  /** How long ago the barrier was, in ms: by the clock that says more. */
  sinceBarrier(now: number): number {
    return Math.max(now - this.#barrier, this.#options.clock.wallMs() - this.#wallBarrier)
  }

  /** Finishes a first tail; rejects when the journal can't be reached. Afterwards it goes on by itself. */
  async start(): Promise<void> {
    // One that only made the journal anew moves no barrier: the next one does.
    if (!(await this.#tail())) await this.#tail()
    this.#finished = this.#follow()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake?.()
    await this.#finished
    for (const answer of this.#waiting.splice(0)) answer(false)
  }

  /**
   * Resolves once a tail that began after this call has been taken in; `false` when that failed, or took longer than H:
   * then only the database can tell. Shared by all who wait.
   */
  async settled(): Promise<boolean> {
    const { clock, boundMs } = this.#options
    return new Promise((resolve) => {
      const cancel = clock.after(boundMs, () => resolve(false))
      this.#waiting.push((isAnswered) => {
        cancel()
        resolve(isAnswered)
      })
      this.#wake?.()
    })
  }

  async #follow(): Promise<void> {
    const { clock, boundMs, onChange } = this.#options
    let pauseMs = FIRST_PAUSE_MS
    while (!this.#isStopped) {
      const waiting = this.#waiting.splice(0)
      const startedAt = clock.now()
      let isAnswered = false
      try {
        isAnswered = await this.#tail()
        pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        this.reason = error instanceof Error ? error.message : String(error)
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      }
      for (const answer of waiting) answer(isAnswered)
      if (!isAnswered) onChange()
      await this.#pause(pauseMs === FIRST_PAUSE_MS ? startedAt + boundMs / 3 - clock.now() : pauseMs)
    }
  }

  /** Whether it moved the barrier. */
  async #tail(): Promise<boolean> {
    const { journal, knowledge, clock, onTail } = this.#options
    const [startedAt, wallStartedAt] = [clock.now(), clock.wallMs()]
    knowledge.tailBegan()
    this.tails += 1
    const answer = await journal.tail(knowledge.seen?.text, knowledge.identity).catch((error: unknown) => {
      knowledge.tailFailed()
      throw error
    })
    const { identity, fault } = answer
    if (identity === undefined) {
      knowledge.tailFailed()
      this.reason = fault ?? 'the journal can not be relied on'
      return false
    }
    const isAnother = knowledge.take({ ...answer, identity })
    this.#barrier = startedAt
    this.#wallBarrier = wallStartedAt
    onTail(answer, isAnother)
    return true
  }

  /** Ends early when somebody waits, also if they came before it began. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#wake = undefined
        resolve()
      }
      const cancel = this.#options.clock.after(Math.max(0, ms), done)
      this.#wake = done
      if (this.#waiting.length > 0 || this.#isStopped) done()
    })
  }
}
