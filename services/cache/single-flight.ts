import { type StoredEntry, versionOf } from './codec.js'
import type { EntryAddress, Lookup } from './entry.js'
import type { TagRegistry, TagState } from './tags.js'

/**
 * One run of the read path below memory, shared by the readers that miss together.
 *
 * It is detached once a higher version of one of its tags has been heard of than the one it reads under: those
 * already waiting get its value, it is not kept, and later readers start anew.
 */
export class Flight<Entry> {
  readonly address: EntryAddress
  readonly startedAt: number
  readonly clearVersion: number
  /** The flight's tags, in the order of the address. */
  readonly states: readonly TagState<Entry>[]
  /** What the flight reads under, a version a tag: what was heard of, or the stamps of a begin. */
  versions: readonly number[]
  readonly #tags: TagRegistry<Entry>
  readonly #newLeaseId: () => string
  #superseded: Flight<Entry> | undefined
  #leaseId: string | undefined

  constructor(options: {
    readonly address: EntryAddress
    readonly tags: TagRegistry<Entry>
    readonly startedAt: number
    /** Empty ids: this flight takes no lease. */
    readonly newLeaseId: () => string
    /** The detached flight this one takes over from, if any. */
    readonly superseded: Flight<Entry> | undefined
  }) {
    const { address, tags } = options
    this.address = address
    this.startedAt = options.startedAt
    this.#tags = tags
    this.#newLeaseId = options.newLeaseId
    this.#superseded = options.superseded
    this.clearVersion = tags.clearVersion
    this.states = address.tags.map((tag) => tags.state(tag))
    for (const state of this.states) state.pins += 1
    this.versions = this.states.map(({ heard }) => heard)
  }

  get isDetached(): boolean {
    return this.clearVersion !== this.#tags.clearVersion || this.states.some(({ heard }, n) => heard > this.#version(n))
  }

  /** The flight's lease; made when it is first asked for, since a hit in Redis needs none. */
  get leaseId(): string {
    this.#leaseId ??= this.#newLeaseId()
    return this.#leaseId
  }

  /** The lease that this flight may take over; empty when there is none. */
  get supersededId(): string {
    return (this.#superseded && this.#superseded.#leaseId) ?? ''
  }

  /** The versions that a stored entry was read under, if none of them is behind what has been heard of by now. */
  acceptedVersions(stored: StoredEntry): readonly number[] | undefined {
    if (this.clearVersion !== this.#tags.clearVersion) return undefined
    const versions = stored.stamps.map(versionOf)
    if (this.states.some(({ heard }, n) => (versions[n] ?? -1) < heard)) return undefined
    return versions
  }

  /** Reads under these versions from here on: the stamps of a begin, or what has been heard of now. */
  readUnder(versions?: readonly number[]): void {
    this.versions = versions ?? this.states.map(({ heard }) => heard)
  }

  /** Call once, at the end. */
  land(): void {
    // A chain of flights that each took over from the one before would be held as long as it goes on.
    this.#superseded = undefined
    for (const state of this.states) {
      state.pins -= 1
      this.#tags.release(state)
    }
  }

  #version(n: number): number {
    return this.versions[n] ?? -1
  }
}

/** What the readers that join a flight share. */
export interface Shared {
  readonly lookup: Promise<Lookup>
  /** How many flights had been started before it: a read that knows of more began after it. */
  readonly number: number
}

/** Emptied at its end: see {@link Sieve} for what else a map would have outlive it. */
interface Running<Entry> {
  flight: Flight<Entry> | undefined
  lookup: Promise<Lookup> | undefined
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
  join(key: string, isYoungEnough: (startedAt: number) => boolean): Shared | undefined {
    const { flight, lookup, number = 0 } = this.#flights.get(key) ?? {}
    if (flight === undefined || lookup === undefined) return undefined
    if (flight.isDetached || !isYoungEnough(flight.startedAt)) return undefined
    return { lookup, number }
  }

  /** `lookup` is what readers that join get. {@link SingleFlight.end} must follow. */
  start(flight: Flight<Entry>, lookup: Promise<Lookup>): void {
    const older = this.#flights.get(flight.address.key)
    if (older !== undefined) empty(older)
    this.#flights.set(flight.address.key, { flight, lookup, number: this.#started })
    this.#started += 1
  }

  /** Before the readers get their answer: whoever reads from then on begins anew. */
  end(flight: Flight<Entry>): void {
    const { key } = flight.address
    const running = this.#flights.get(key)
    if (running?.flight === flight) {
      this.#flights.delete(key)
      empty(running)
    }
    flight.land()
  }
}

function empty(running: Running<unknown>): void {
  running.flight = undefined
  running.lookup = undefined
}
