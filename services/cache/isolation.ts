import { type EntryOptions, hitOf, type Lookup } from './entry.js'
import { JournalUnavailableError } from './journal/follower.js'
import type { Replica } from './replica.js'

/** How long an isolated replica waits for a load while the database answers no tail either, in ms. */
const LAST_PATIENCE_MS = 50

/** A reader behind a lookup, and how long it waits once the replica is isolated. */
interface Waiting {
  /** Where it stands among those that wait; below 0 once it does not. */
  at: number
  patientUntil: number | undefined
  readonly giveUp: () => void
}

/**
 * What a replica does that can't follow the journal. The database answers, if it does; else memory, marked, for a limited time; else
 * nobody. Nobody waits for a database that is known to be silent.
 */
export class Isolation {
  readonly #replica: Replica
  /** The last load that somebody waited for did not come in time, and none has come since. */
  #isSilent = false
  /** The last load that somebody waited for failed, and none has come since. */
  #hasFailed = false
  #triedAt = Number.NEGATIVE_INFINITY
  /** No set: V8 links the tables that one has outgrown, so what has gone from it stays alive until the old generation is collected. */
  readonly #waiting: Waiting[] = []
  /** When the timer goes off. */
  #wakesAt = Number.POSITIVE_INFINITY
  /** As of the last look. */
  #isIsolated = false
  #cancel = (): void => {}

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** For how long the replica has been isolated; below 0 while it is not. */
  get ms(): number {
    const { clock, follower, settings } = this.#replica
    return follower.sinceBarrier(clock.now()) - settings.boundMs
  }

  /** May a load begin? Of a database that is silent one in H is asked for, to find out whether it answers again. */
  mayLoad(): boolean {
    const { clock, settings } = this.#replica
    if (!this.#isSilent || this.ms < 0) return true
    const now = clock.now()
    if (now - this.#triedAt < settings.boundMs) return false
    this.#triedAt = now
    return true
  }

  loaded(): void {
    this.#isSilent = false
    this.#hasFailed = false
  }

  /** Is it known that loads do not come back? */
  get isUnanswered(): boolean {
    return this.#isSilent || this.#hasFailed
  }

  /** For how long memory may answer in place of the database, in ms; below 0 when it may not any more. */
  get leftMs(): number {
    return this.#replica.settings.staleIfErrorMs - this.ms
  }

  /** The lookup. Once the replica is isolated and the load is not worth waiting for any more: memory's answer, if it may answer. */
  orStale(lookup: Promise<Lookup>, key: string, options: EntryOptions): Promise<Lookup> {
    return new Promise((resolve, reject) => {
      const answerOr = (error: () => unknown): void => {
        const stale = this.#stale(key, options)
        if (stale === undefined) reject(error())
        else resolve(stale)
      }
      const giveUp = (): void => answerOr(() => this.#unavailable())
      const reader: Waiting = { at: this.#waiting.length, patientUntil: undefined, giveUp }
      this.#waiting.push(reader)
      this.#watch(reader)
      lookup.then(
        (found) => {
          this.#leave(reader)
          resolve(found)
        },
        (error: unknown) => {
          this.#leave(reader)
          this.#hasFailed = true
          answerOr(() => error)
        },
      )
    })
  }

  #leave(reader: Waiting): void {
    if (reader.at < 0) return
    const last = this.#waiting.pop()
    if (last !== undefined && last !== reader) {
      this.#waiting[reader.at] = last
      last.at = reader.at
    }
    reader.at = -1
  }

  /** One timer for all who wait. Before the replica is isolated nobody is impatient, and the barrier only moves that moment away. */
  #watch(reader: Waiting): void {
    if (this.#wakesAt === Number.POSITIVE_INFINITY || this.#isIsolated) this.#wakeAt(this.#dueOf(reader))
  }

  /** When to look at the reader again. */
  #dueOf(reader: Waiting): number {
    const now = this.#replica.clock.now()
    const { ms } = this
    this.#isIsolated = ms >= 0
    reader.patientUntil = ms < 0 ? undefined : (reader.patientUntil ?? now + this.#patienceMs())
    return reader.patientUntil ?? now - ms
  }

  #wakeAt(at: number): void {
    if (at >= this.#wakesAt) return
    const { clock } = this.#replica
    this.#cancel()
    this.#wakesAt = at
    // After a time in which this process stood still, timers come before what has been answered meanwhile.
    this.#cancel = clock.after(Math.max(0, at - clock.now()), () => clock.endOfTurn(this.#look))
  }

  readonly #look = (): void => {
    this.#wakesAt = Number.POSITIVE_INFINITY
    const now = this.#replica.clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const reader of this.#waiting.slice()) {
      const due = this.#dueOf(reader)
      if (reader.patientUntil === undefined || due > now) next = Math.min(next, due)
      else {
        this.#isSilent = true
        this.#leave(reader)
        reader.giveUp()
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next)
  }

  /** @throws JournalUnavailableError when memory may not answer */
  async withoutLoad(key: string, options: EntryOptions): Promise<Lookup> {
    const stale = this.#stale(key, options)
    if (stale === undefined) throw this.#unavailable()
    return stale
  }

  #unavailable(): JournalUnavailableError {
    return new JournalUnavailableError(this.#replica.follower.reason)
  }

  /** One that can't be followed, but answers, is waited for. */
  #patienceMs(): number {
    const { follower, settings } = this.#replica
    if (this.#isSilent) return 0
    return follower.isAnswering ? settings.boundMs : Math.min(settings.boundMs, LAST_PATIENCE_MS)
  }

  #stale(key: string, { mayServeOnError = true }: EntryOptions): Lookup | undefined {
    const { clock, memory, knowledge, settings } = this.#replica
    const { ms } = this
    const mayServe = mayServeOnError !== false && ms >= 0 && ms <= settings.staleIfErrorMs
    const now = clock.now()
    const entry = mayServe ? memory.read(key, now) : undefined
    if (entry === undefined || (mayServeOnError === 'undoubted' && knowledge.hints.has(entry.tags))) return undefined
    return { ...hitOf(entry, now), outcome: 'stale-if-error' }
  }
}
