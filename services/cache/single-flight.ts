import type { EntryAddress, Lookup } from './entry.js'
import type { TagRegistry, TagState } from './tags.js'

/**
 * One run of the read path below memory, shared by the readers that miss together.
 *
 * It is detached once a higher version of one of its tags has been heard of than the one it reads under: those
 * already waiting get its value, it is not kept, and later readers start anew.
 */
export class Flight<Entry> {
  readonly key: string
  readonly startedAt: number
  readonly clearVersion: number
  readonly leaseId: string
  /** The lease of the detached flight this one takes over from, if any. */
  readonly supersededId: string
  readonly #tags: TagRegistry<Entry>
  readonly #states: readonly TagState<Entry>[]
  #versions: readonly number[]

  constructor(options: {
    address: EntryAddress
    tags: TagRegistry<Entry>
    startedAt: number
    leaseId: string
    supersededId: string
  }) {
    this.key = options.address.key
    this.startedAt = options.startedAt
    this.leaseId = options.leaseId
    this.supersededId = options.supersededId
    this.#tags = options.tags
    this.clearVersion = options.tags.clearVersion
    this.#states = options.address.tags.map((tag) => options.tags.state(tag))
    for (const state of this.#states) state.pins += 1
    this.#versions = this.#states.map(({ heard }) => heard)
  }

  get isDetached(): boolean {
    if (this.clearVersion !== this.#tags.clearVersion) return true
    return this.#states.some((state, n) => state.heard > (this.#versions[n] ?? -1))
  }

  /** The flight's tags with the versions it reads under. */
  get stamps(): { state: TagState<Entry>; version: number }[] {
    return this.#states.map((state, n) => ({ state, version: this.#versions[n] ?? -1 }))
  }

  /** Reads under these versions from here on: the stamps of a begin, or what has been heard of now. */
  readUnder(versions?: readonly number[]): void {
    this.#versions = versions ?? this.#states.map(({ heard }) => heard)
  }

  /** Call once, at the end. */
  land(): void {
    for (const state of this.#states) {
      state.pins -= 1
      this.#tags.release(state)
    }
  }
}

interface Running<Entry> {
  readonly flight: Flight<Entry>
  readonly lookup: Promise<Lookup>
  /** How many flights had been started before it: a read that knows of more began after it. */
  readonly number: number
}

/** The flights under way, at most one joinable per key. */
export class SingleFlight<Entry> {
  readonly #flights = new Map<string, Running<Entry>>()
  #started = 0

  get size(): number {
    return this.#flights.size
  }

  /** How many flights have been started so far. */
  get started(): number {
    return this.#started
  }

  /** The flight under way for a key, detached or not. */
  underWay(key: string): Flight<Entry> | undefined {
    return this.#flights.get(key)?.flight
  }

  /**
   * The flight to share, if joining it keeps the promise: it is not detached, and either the journal is followed
   * (`isCurrent`) or the flight itself is younger than the bound.
   */
  join(key: string, isYoungEnough: (startedAt: number) => boolean): Running<Entry> | undefined {
    const running = this.#flights.get(key)
    if (running === undefined || running.flight.isDetached || !isYoungEnough(running.flight.startedAt)) return undefined
    return running
  }

  start(flight: Flight<Entry>, run: () => Promise<Lookup>): Promise<Lookup> {
    const number = this.#started
    this.#started += 1
    const lookup = run().finally(() => {
      if (this.#flights.get(flight.key)?.flight === flight) this.#flights.delete(flight.key)
      flight.land()
    })
    this.#flights.set(flight.key, { flight, lookup, number })
    return lookup
  }
}
