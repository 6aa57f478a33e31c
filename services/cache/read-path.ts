import { type Entry, type EntryOptions, hitOf, lifetimeOf, type Loader, type Lookup } from './entry.js'
import type { Begun, Sought } from './fills.js'
import { Isolation } from './isolation.js'
import type { Replica } from './replica.js'
import type { Step } from './events.js'

/** One run of the read path below memory, which several readers may share. */
interface Flight extends Sought {
  /** Noted before its load begins; before that, when the flight began. */
  begun: Begun
  /** Was the result current when the flight ended? Only then may readers that joined use it. */
  isCurrent: boolean
  /** The mark in the name of the lease that this flight holds. */
  lease: number | undefined
  lookup: Promise<Lookup>
}

/** First and longest pause of a reader that waits for another replica's load, in ms. */
const FIRST_PAUSE_MS = 4
const LONGEST_PAUSE_MS = 100
/** Of a lease, in ms: longer than nearly every load, and than an event loop full of readers may take to renew it. */
const LEASE_MS = 1_000
/** And of one for an entry that is fresh for a moment only: it is renewed as often as every half of this. */
const SHORTEST_LEASE_MS = 20
/** A placeholder: the run is started right after the flight is made. */
const NO_LOOKUP = new Promise<Lookup>(() => {})

/** Any text may be a key. */
const noFlights = (): Record<string, Flight | undefined> => Object.create(null)

/**
 * The one read path: memory, Redis, the loader. What it answers from a tier was found current at the moment of the answer; a load
 * began after its reader came. No failure of Redis fails a read; what the loader throws is thrown on.
 */
export class ReadPath {
  readonly isolation: Isolation
  readonly #replica: Replica
  /** By key. No Map, see {@link Isolation}: its garbage took a quarter of a hit in Redis. */
  #flights = noFlights()
  readonly #refreshing = new Set<string>()

  constructor(replica: Replica) {
    this.#replica = replica
    this.isolation = new Isolation(replica)
  }

  /** From now on nobody joins a flight that is under way. Called when the identity has changed, and when a reader needs a load that began after its own request. */
  detachFlights(): void {
    this.#flights = noFlights()
  }

  /** A fresh memory hit that is in no doubt, without waiting; `undefined` otherwise, with nothing counted. */
  peek(key: string): Lookup | undefined {
    const now = this.#replica.clock.now()
    const entry = this.held(key, now)
    if (entry === undefined) return undefined
    entry.counts.memoryHits += 1
    if (entry.value === undefined) entry.counts.negativeHits += 1
    return hitOf(entry, now)
  }

  /** The entry behind {@link ReadPath.peek}; counts nothing. */
  held(key: string, now: number): Entry | undefined {
    const { follower, memory, knowledge } = this.#replica
    if (!follower.isFollowed(now)) return undefined
    const entry = memory.read(key, now)
    if (entry === undefined || now >= entry.freshUntil) return undefined
    if (entry.undoubtedAt === knowledge.hints.given) return entry
    if (knowledge.hints.has(entry.tags)) return undefined
    entry.undoubtedAt = knowledge.hints.given
    return entry
  }

  read(key: string, options: EntryOptions, load: Loader): Promise<Lookup> {
    return this.#isDoubted(key, options) ? this.#readDoubted(key, options, load) : this.#read(key, options, load)
  }

  /** What the tiers have, without a load. */
  async find(key: string, options: EntryOptions): Promise<Lookup | undefined> {
    if (this.#isDoubted(key, options) && !(await this.#isSettled())) return undefined
    const lookup = this.#inMemory(key) ?? (await this.#replica.fills.fromRedis(this.#flight(key, options)))
    return lookup && this.#count(options, lookup)
  }

  #isDoubted(key: string, { tags }: EntryOptions): boolean {
    const { knowledge, memory } = this.#replica
    return knowledge.hints.has(memory.peek(key)?.tags ?? tags)
  }

  /**
   * A tag in doubt is settled by a tail that begins now; what comes into doubt later does not count for this read.
   * `false`: no tail could tell, so only the database can.
   */
  async #isSettled(): Promise<boolean> {
    const { follower, clock } = this.#replica
    return follower.isFollowed(clock.now()) && follower.settled()
  }

  async #readDoubted(key: string, options: EntryOptions, load: Loader): Promise<Lookup> {
    if (await this.#isSettled()) return this.#read(key, options, load)
    return this.#fly(key, options, load, { isSettled: false, isSecond: false })
  }

  #read(key: string, options: EntryOptions, load: Loader): Promise<Lookup> {
    const hit = this.#inMemory(key)
    if (hit === undefined) return this.#fly(key, options, load, { isSettled: true, isSecond: false })
    if (hit.outcome === 'stale') this.#refresh(key, options, load)
    return Promise.resolve(this.#count(options, this.#seen(key, options, load, hit)))
  }

  #inMemory(key: string): Lookup | undefined {
    const { clock, follower, memory } = this.#replica
    const now = clock.now()
    const entry = follower.isFollowed(now) ? memory.read(key, now) : undefined
    return entry && hitOf(entry, now)
  }

  /** Below memory: takes part in the flight under way, or starts one. */
  #fly(
    key: string,
    options: EntryOptions,
    load: Loader,
    { isSettled, isSecond }: { readonly isSettled: boolean; readonly isSecond: boolean },
  ): Promise<Lookup> {
    const running = this.#flights[key]
    if (running !== undefined && (isSecond || (isSettled && this.#isJoinable(running)))) {
      return this.#join(running, load, isSecond)
    }
    if (!this.isolation.mayLoad())
      return this.isolation.withoutLoad(key, options).then((lookup) => this.#count(options, lookup))
    const flight = this.#flight(key, options)
    this.#flights[key] = flight
    flight.lookup = this.#run(flight, load, isSettled)
    return this.#lead(flight, load)
  }

  #flight(key: string, options: EntryOptions): Flight {
    const slots = this.#replica.knowledge.heard.slotsOf(options.tags)
    const begun = this.#replica.fills.begin()
    return {
      key,
      options,
      slots,
      begun,
      moreTags: [],
      isCurrent: false,
      overtakenBy: 0,
      isInvalid: false,
      lease: undefined,
      lookup: NO_LOOKUP,
    }
  }

  /** Without the journal, nothing says whether a flight has missed a change. One younger than H can't break the bound. */
  #isJoinable({ begun, slots, options }: Flight): boolean {
    const { knowledge, clock, follower, settings } = this.#replica
    const now = clock.now()
    if (follower.isFollowed(now)) return knowledge.isCurrent(begun.provenance, slots)
    return now - begun.startedAt < settings.boundMs && !knowledge.hints.has(options.tags)
  }

  async #lead(flight: Flight, load: Loader): Promise<Lookup> {
    const { key, options } = flight
    return this.#count(options, this.#seen(key, options, load, await this.#orStale(flight)))
  }

  #seen(key: string, options: EntryOptions, load: Loader, lookup: Lookup): Lookup {
    const { verifier } = this.#replica
    if (lookup.outcome === 'hit' && verifier.isNext()) verifier.look(key, options, load)
    return lookup
  }

  /**
   * A reader that joined gets the flight's result if that was current when the flight ended. If not, it reads once more. A flight that
   * it finds then began after the reader came, so its answer is recent enough whatever has changed since.
   */
  async #join(running: Flight, load: Loader, isSecond: boolean): Promise<Lookup> {
    const { knowledge } = this.#replica
    const { key, options } = running
    const lookup = await this.#orStale(running)
    // The load may have named a tag that was in doubt from the start.
    const isDoubted = running.isCurrent && knowledge.hints.has(running.moreTags)
    if (!isSecond && (isDoubted || !running.isCurrent) && lookup.outcome !== 'stale-if-error') {
      const isSettled = !isDoubted || (await this.#replica.follower.settled())
      return this.#fly(key, options, load, { isSettled, isSecond: true })
    }
    return this.#count(options, lookup.outcome === 'miss' ? { ...lookup, collapsed: true } : lookup)
  }

  async #run(flight: Flight, load: Loader, isSettled: boolean): Promise<Lookup> {
    try {
      return (isSettled ? await this.#fromTier(flight, load) : undefined) ?? (await this.#load(flight, load))
    } finally {
      // Remove the flight before its readers get their answer: later readers must start a new one.
      if (this.#flights[flight.key] === flight) delete this.#flights[flight.key]
    }
  }

  /** What Redis has. Waits while another replica loads the entry. `undefined`: this flight has to load, with the lease where Redis gave one. */
  async #fromTier(flight: Flight, load: Loader): Promise<Lookup | undefined> {
    const { clock, settings, fills } = this.#replica
    const giveUpAt = clock.now() + settings.leaseMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const hit = await this.#step('redis', flight, () => fills.fromRedis(flight))
      flight.isCurrent = hit !== undefined
      if (hit?.outcome === 'stale') this.#refresh(flight.key, flight.options, load)
      if (hit !== undefined || clock.now() >= giveUpAt || (await this.#mayLoad(flight))) return hit
      await clock.sleep(pauseMs * (0.5 + settings.random() / 2))
    }
  }

  /**
   * Takes the lease, named by the newest change heard of the tags, where one is needed. It is short, and never longer than the entry is
   * fresh; it is renewed while the load runs. It stays when the entry was stored: a reader that looked too early for that then finds it, and
   * does not load again. What was stored may be overwritten by something older, and then nobody should wait for long.
   */
  async #mayLoad(flight: Flight): Promise<boolean> {
    const { knowledge, redis, fills } = this.#replica
    const { key, slots, options, overtakenBy, isInvalid } = flight
    if (redis === undefined || isInvalid || !fills.isInRedis(options)) return true
    const newest = Math.max(knowledge.heard.newest(slots), overtakenBy)
    const lease = await redis.lease(key, newest, this.#leaseMs(options))
    if (lease === 'mine') flight.lease = newest
    return lease !== 'elsewhere'
  }

  #leaseMs(options: EntryOptions): number {
    const { defaults, leaseMs } = this.#replica.settings
    const { freshMs } = lifetimeOf(options, defaults, { isNegative: false, random: 0 })
    return Math.max(SHORTEST_LEASE_MS, Math.min(LEASE_MS, leaseMs, freshMs))
  }

  /** Again and again, until what it returns is called. */
  #renewLease({ key, options }: Flight, mark: number): () => void {
    const { clock, redis } = this.#replica
    const leaseMs = this.#leaseMs(options)
    let cancel = (): void => {}
    const next = (): void => {
      cancel = clock.after(leaseMs / 2, () => {
        next()
        void redis?.renew(key, mark, leaseMs)
      })
    }
    next()
    return () => cancel()
  }

  async #load(flight: Flight, load: Loader): Promise<Lookup> {
    const { clock, stats, settings, redis, fills } = this.#replica
    const { key, options, lease } = flight
    flight.begun = fills.begin()
    const { startedAt } = flight.begun
    const endRenewal = lease === undefined ? undefined : this.#renewLease(flight, lease)
    let value: unknown
    try {
      value = await this.#step('load', flight, load)
      this.isolation.loaded()
      flight.moreTags = options.tagsOf?.(value) ?? []
      flight.isCurrent = fills.keep(key, options, value, flight)
      if (!flight.isCurrent) stats.refusedFills += 1
    } finally {
      stats.recordLoad(options.domain, clock.now() - startedAt)
      endRenewal?.()
      if (lease !== undefined && !flight.isCurrent) void redis?.release(key, lease)
    }
    const { freshMs } = lifetimeOf(options, settings.defaults, { isNegative: value === undefined, random: 0 })
    const ageMs = clock.now() - startedAt
    const stored = flight.isCurrent && freshMs > 0
    return { value, outcome: 'miss', tier: undefined, ttlMs: freshMs - ageMs, ageMs, stored, collapsed: false }
  }

  /** Nobody who is not asked to watch is in the way. */
  #step<Result>(step: Step, { options }: Flight, work: () => Promise<Result>): Promise<Result> {
    const { trace, redis } = this.#replica
    return trace === undefined || (step === 'redis' && redis === undefined) ? work() : trace(step, options.domain, work)
  }

  /** One background load of an entry that is stale by time, in the whole cluster; its failure leaves the entry as it is. */
  #refresh(key: string, options: EntryOptions, load: Loader): void {
    if (this.#refreshing.has(key)) return
    this.#refreshing.add(key)
    const flight = this.#flight(key, options)
    const refreshed = async (): Promise<void> => {
      if ((await this.#replica.fills.fromRedis(flight))?.outcome === 'hit') return
      if (await this.#mayLoad(flight)) await this.#load(flight, load)
    }
    refreshed()
      .catch((error: unknown) => this.#replica.report(error, 'a refresh'))
      .finally(() => this.#refreshing.delete(key))
  }

  #orStale({ lookup, key, options }: Flight): Promise<Lookup> {
    return this.isolation.orStale(lookup, key, options)
  }

  #count(options: EntryOptions, lookup: Lookup): Lookup {
    this.#replica.stats.record(options.domain, lookup)
    return lookup
  }
}
