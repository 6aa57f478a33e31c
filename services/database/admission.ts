import { systemClock } from '../cache/index.js'
import { DatabaseUnavailableError } from './errors.js'

export interface AdmissionOptions {
  /** How many may be in at a time. */
  readonly most: number
  /** What part of them, now: the process itself may be short of time. {@link LEAST} may be in at any time. */
  readonly share?: (() => number) | undefined
  /**
   * Whoever has been in for longer, in ms, waits for the database: for a lock, say. That takes nothing of the time that this process is
   * short of, so of the share they have no part. By default all have.
   */
  readonly waitsAfterMs?: number | undefined
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

/** One of those that are in. */
interface Place {
  /** When it came, in ms of the monotonic clock. */
  readonly since: number
}

interface Waiting {
  readonly until: number
  readonly enter: (place: Place) => void
  readonly refuse: (error: Error) => void
}

/** The line of what is done for several users at once, or for nobody. */
const EVERYBODY = ''
/** However short of time the process is. */
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
  /** The first that came is the first. */
  readonly #inside = new Set<Place>()
  #waiting = 0
  #isTurnOfEverybody = true
  #refused = 0
  #look: NodeJS.Timeout | undefined

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** What it is doing now, and how many it has refused since the start. */
  get counts(): { readonly inside: number; readonly waiting: number; readonly refused: number } {
    return { inside: this.#inside.size, waiting: this.#waiting, refused: this.#refused }
  }

  /** How many may be in, now, besides those that wait for the database. */
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
    const place = this.#waiting === 0 && this.#hasRoom() ? this.#enter() : await this.#turn(entrant)
    try {
      return await work()
    } finally {
      this.#inside.delete(place)
      this.#letIn()
    }
  }

  #turn(entrant: Entrant): Promise<Place> {
    const turn = this.#wait(entrant)
    this.#letIn()
    return turn
  }

  #hasRoom(): boolean {
    const { most, waitsAfterMs } = this.#options
    if (this.#inside.size >= most) return false
    let room = this.most - this.#inside.size
    if (room > 0 || waitsAfterMs === undefined) return room > 0
    const before = systemClock.now() - waitsAfterMs
    for (const { since } of this.#inside) {
      if (since > before) break
      room += 1
    }
    return room > 0
  }

  #enter(): Place {
    const place = { since: systemClock.now() }
    this.#inside.add(place)
    return place
  }

  /**
   * A user's loads and writes are two lines, so that nobody's load waits for what they write. Each is half of all that may wait at most, so
   * that others find room.
   */
  #wait({ user = EVERYBODY, isWrite = false, since = systemClock.now() }: Entrant): Promise<Place> {
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

  /** Whoever waits, as long as there is room. */
  #letIn(): void {
    while (this.#waiting > 0 && this.#hasRoom()) {
      const user = this.#next()
      if (user === undefined) return
      this.#take(user)?.enter(this.#enter())
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
