import { systemClock } from '../cache/index.js'
import { DatabaseUnavailableError } from './errors.js'

export interface AdmissionOptions {
  /** How many may be in at a time. */
  readonly most: number
  /** How many may wait; who comes then is refused. */
  readonly mostWaiting: number
  /** How long one may wait, in ms; then it is refused. */
  readonly longestWaitMs: number
  /** Whether nobody new may wait or enter, because the process itself is short of time or memory. */
  readonly isClosed?: (() => boolean) | undefined
}

interface Waiting {
  readonly until: number
  readonly enter: () => void
  readonly refuse: (error: Error) => void
}

/** The line of what is done for several users at once, or for nobody. */
const EVERYBODY = ''
/** How often it is looked who has waited for too long, in ms. */
const LOOK_EVERY_MS = 25

/**
 * The way into a pool of connections: a bounded line, with a bounded wait. Users take turns, so one who asks for much waits behind
 * themselves; every other turn is of what is done for several at once.
 */
export class Admission {
  readonly #options: AdmissionOptions
  /** By user, in the order of their turns. Those that are empty are not in it. */
  readonly #lines = new Map<string, Waiting[]>()
  #inside = 0
  #waiting = 0
  #isTurnOfEverybody = true
  #refused = 0
  #look: NodeJS.Timeout | undefined

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** What it is doing now, and how many it has refused since the start. */
  get counts(): { readonly inside: number; readonly waiting: number; readonly refused: number } {
    return { inside: this.#inside, waiting: this.#waiting, refused: this.#refused }
  }

  /** Whether who comes now is refused, whoever it is. */
  get isFull(): boolean {
    return this.#options.isClosed?.() === true || this.#waiting >= this.#options.mostWaiting
  }

  /**
   * Runs `work` once it is its turn.
   * @param user whose line it waits in
   * @throws DatabaseUnavailableError, before `work` has begun, and what `work` throws
   */
  async run<T>(work: () => Promise<T>, user = EVERYBODY): Promise<T> {
    if (this.isFull) throw this.#refusal()
    if (this.#inside < this.#options.most) this.#inside += 1
    else await this.#wait(user)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** One user's line is half of all that may wait, so that others find room. */
  #wait(user: string): Promise<void> {
    const line = this.#lines.get(user) ?? []
    const { mostWaiting, longestWaitMs } = this.#options
    if (user !== EVERYBODY && line.length >= mostWaiting / 2) throw this.#refusal()
    this.#lines.set(user, line)
    this.#waiting += 1
    this.#look ??= setInterval(() => this.#refuseLate(), LOOK_EVERY_MS)
    return new Promise((enter, refuse) => line.push({ until: systemClock.now() + longestWaitMs, enter, refuse }))
  }

  /** Who leaves hands the place on. */
  #leave(): void {
    const user = this.#next()
    const next = user === undefined ? undefined : this.#take(user)
    if (next === undefined) this.#inside -= 1
    else next.enter()
  }

  /** Whose turn it is. */
  #next(): string | undefined {
    this.#isTurnOfEverybody = !this.#isTurnOfEverybody
    if (this.#isTurnOfEverybody && this.#lines.has(EVERYBODY)) return EVERYBODY
    for (const user of this.#lines.keys()) if (user !== EVERYBODY) return user
    return this.#lines.has(EVERYBODY) ? EVERYBODY : undefined
  }

  /** The first of that line, which has its next turn after all the others. */
  #take(user: string): Waiting | undefined {
    const line = this.#lines.get(user) ?? []
    const first = line.shift()
    this.#lines.delete(user)
    if (line.length > 0) this.#lines.set(user, line)
    if (first !== undefined) this.#waiting -= 1
    this.#restIfNobodyWaits()
    return first
  }

  #refuseLate(): void {
    const now = systemClock.now()
    for (const [user, line] of this.#lines) {
      while (line[0] !== undefined && line[0].until <= now) {
        line.shift()?.refuse(this.#refusal())
        this.#waiting -= 1
      }
      if (line.length === 0) this.#lines.delete(user)
    }
    this.#restIfNobodyWaits()
  }

  #restIfNobodyWaits(): void {
    if (this.#waiting > 0) return
    clearInterval(this.#look)
    this.#look = undefined
  }

  #refusal(): Error {
    this.#refused += 1
    return new DatabaseUnavailableError('too much is waiting for it already')
  }
}
