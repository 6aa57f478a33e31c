import { type EntryOptions, hitOf, type Lookup } from './entry.js'
import { JournalUnavailableError } from './journal/follower.js'
import type { Replica } from './replica.js'

/** How long an isolated replica waits for a load while the database answers no tail either, in ms. */
const LAST_PATIENCE_MS = 50

/**
 * What a replica does that can't follow the journal. The database answers, if it does; else memory, marked, for a limited time; else
 * nobody. Nobody waits for a database that is known to be silent.
 */
export class Isolation {
  readonly #replica: Replica
  /** The last load that somebody waited for did not come in time, and none has come since. */
  #isSilent = false
  #triedAt = Number.NEGATIVE_INFINITY

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
  }

  /** The lookup. Once the replica is isolated and the load is not worth waiting for any more: memory's answer, if it may answer. */
  async orStale(lookup: Promise<Lookup>, key: string, options: EntryOptions): Promise<Lookup> {
    let cancel = (): void => {}
    const givenUp = new Promise<undefined>((resolve) => {
      const wait = (ms: number, work: () => void): void => void (cancel = this.#replica.clock.after(ms, work))
      const watch = (): void => wait(Math.max(0, -this.ms), onIsolated)
      const onIsolated = (): void => (this.ms < 0 ? watch() : wait(this.#patienceMs(), onImpatient))
      const onImpatient = (): void => {
        if (this.ms < 0) return watch()
        this.#isSilent = true
        resolve(undefined)
      }
      watch()
    })
    try {
      return (await Promise.race([lookup, givenUp])) ?? this.withoutLoad(key, options)
    } catch (error) {
      const stale = this.#stale(key, options)
      if (stale === undefined) throw error
      return stale
    } finally {
      cancel()
    }
  }

  /** @throws JournalUnavailableError when memory may not answer */
  withoutLoad(key: string, options: EntryOptions): Lookup {
    const stale = this.#stale(key, options)
    if (stale === undefined) throw new JournalUnavailableError(this.#replica.follower.reason)
    return stale
  }

  /** One that can't be followed, but answers, is waited for. */
  #patienceMs(): number {
    const { clock, follower, settings } = this.#replica
    if (this.#isSilent) return 0
    return follower.isAnswering(clock.now()) ? settings.boundMs : Math.min(settings.boundMs, LAST_PATIENCE_MS)
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
