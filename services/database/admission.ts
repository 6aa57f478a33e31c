import { systemClock } from '../cache/index.js'
import { DatabaseUnavailableError } from './errors.js'

export interface AdmissionOptions {
  /** How many may be in at a time. */
  readonly most: number
  /** What part of them, now: the process itself may be short of time. {@link LEAST} may be in at any time. */
  readonly share?: (() => number) | undefined
  /** How many may wait; who comes then is refused. */
  readonly mostWaiting: number
  /** How long a load may wait, in ms; then it is refused. */
  readonly longestWaitMs: number
  /** The same of a write: who changes something would rather wait than ask again. */
  readonly longestWriteWaitMs: number
  /** Whether nobody new may wait or enter, because the process itself is short of time or memory. */
  readonly isClosed?: (() => boolean) | undefined
}

/** Who wants to come in. */
export interface Entrant {
  /** Whose line it waits in; that of everybody where there is none. */
  readonly user?: string | undefined
  readonly isWrite?: boolean | undefined
  /** When its waiting began, in ms of the monotonic clock; now unless given. */
  readonly since?: number | undefined
}

interface Waiting {
  readonly until: number
  readonly enter: () => void
  readonly refuse: (error: Error) => void
}

/** The line of what is done for several users at once, or for nobody. */
const EVERYBODY = ''
/** However short of time the process is. A statement that waits for a lock then holds up the others, as long as both last. */
const LEAST = 1
/** How often it is looked who has waited for too long, and whether more may come in, in ms. */
const LOOK_EVERY_MS = 25

/**
 * The way into a pool of connections: a bounded line, with a bounded wait. Users take turns, so one who asks for much waits behind
 * themselves; every other turn is of what is done for several at once.
 */
export class Admission {
  readonly #options: AdmissionOptions
  /** By user and kind, in the order of their turns. Those that are empty are not in it. */
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

  /** How many may be in, now. */
  get most(): number {
    const { most, share } = this.#options
    return share === undefined ? most : Math.max(Math.min(most, LEAST), Math.round(most * share()))
  }

  /** Whether who comes now is refused, whoever it is. */
  get isFull(): boolean {
    return this.#options.isClosed?.() === true || this.#waiting >= this.#options.mostWaiting
  }

  /**
   * Runs `work` once it is its turn.
   * @throws DatabaseUnavailableError, before `work` has begun, and what `work` throws
   */
  async run<T>(work: () => Promise<T>, entrant: Entrant = {}): Promise<T> {
    if (this.isFull) throw this.#refusal()
    if (this.#waiting === 0 && this.#inside < this.most) this.#inside += 1
    else {
      const turn = this.#wait(entrant)
      this.#letIn()
      await turn
    }
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /**
   * A user's loads and writes are two lines, so that nobody's load waits for what they write. Each is half of all that may wait at most, so
   * that others find room.
   */
  #wait({ user = EVERYBODY, isWrite = false, since = systemClock.now() }: Entrant): Promise<void> {
    const name = isWrite ? `writes of ${user}` : user
    const line = this.#lines.get(name) ?? []
    const { mostWaiting, longestWaitMs, longestWriteWaitMs } = this.#options
    if (name !== EVERYBODY && line.length >= mostWaiting / 2) throw this.#refusal()
    this.#lines.set(name, line)
    this.#waiting += 1
    this.#look ??= setInterval(() => this.#lookAround(), LOOK_EVERY_MS)
    const until = since + (isWrite ? longestWriteWaitMs : longestWaitMs)
    return new Promise((enter, refuse) => line.push({ until, enter, refuse }))
  }

  #leave(): void {
    this.#inside -= 1
    this.#letIn()
  }

  /** Whoever waits, as long as there is room. */
  #letIn(): void {
    while (this.#waiting > 0 && this.#inside < this.most) {
      const user = this.#next()
      if (user === undefined) return
      this.#inside += 1
      this.#take(user)?.enter()
    }
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

  /** There may be more room although nobody has left. */
  #lookAround(): void {
    this.#refuseLate()
    this.#letIn()
  }

  #refuseLate(): void {
    const now = systemClock.now()
    for (const [user, line] of this.#lines) {
      const late = line.filter(({ until }) => until <= now)
      if (late.length === 0) continue
      const left = line.filter(({ until }) => until > now)
      if (left.length === 0) this.#lines.delete(user)
      else this.#lines.set(user, left)
      this.#waiting -= late.length
      for (const { refuse } of late) refuse(this.#refusal())
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
