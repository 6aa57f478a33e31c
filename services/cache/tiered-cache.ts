import type { Document, EntryAddress, Loader, Lookup, RaisedTag } from './entry.js'
import type { Engine } from './engine.js'
import { inspect, type Inspection } from './inspect.js'
import type { MemoryEntry } from './memory-entry.js'
import { getFromRedis, type ManyLoader, readMany } from './read-many.js'
import { type FlightOwner, ReadThrough } from './read-through.js'
import { Flight, type Shared } from './single-flight.js'
import { type CacheStats, type CacheHealth, cacheHealth, cacheStats } from './report.js'
import { CLEAR_TAG } from './tags.js'
import { tagDigest } from './version-token.js'
import type { ReplicaState, Tiers } from './tiers.js'

/**
 * The tiered cache: memory in front of Redis in front of whatever the loader reads.
 *
 * Promise: after {@link TieredCache.raise} has resolved for a committed write, no replica answers older than H
 * without saying so (outcome `stale-if-error`); docs/cache.md has the protocol. It does not hold for data changed
 * without raising its tags in the same transaction.
 */
export class TieredCache {
  readonly #engine: Engine
  readonly #tiers: Tiers
  readonly #refreshing = new Set<string>()
  /** Flights whose starter has gone with another answer: their own is not counted. */
  readonly #abandoned = new WeakSet<Flight<MemoryEntry>>()
  readonly #owner: FlightOwner = {
    landed: (reading, lookup) => this.#landed(reading, lookup),
    insteadOfLoad: (address) => (this.state === 'isolated' ? this.#staleIfError(address) : undefined),
  }

  constructor(engine: Engine) {
    this.#engine = engine
    this.#tiers = engine.tiers
  }

  /** Stops following the journal and using Redis; the clients handed in are their owner's to close. */
  async close(): Promise<void> {
    await this.#engine.stop()
  }

  get state(): ReplicaState {
    return this.#engine.state
  }

  /** A fresh memory hit, counted as one, without a promise; `undefined` (nothing counted) otherwise. */
  peek(address: EntryAddress): Lookup | undefined {
    const { runClock } = this.#tiers
    const now = runClock.now()
    const held = this.#held(address.key, now)
    return held !== undefined && now < held.freshUntil ? countHit(held) : undefined
  }

  /** What the tiers have, without a load; `undefined` when none has it. */
  async get(address: EntryAddress): Promise<Lookup | undefined> {
    if (!this.#engine.options.isEnabled) return undefined
    const fresh = this.peek(address)
    if (fresh !== undefined) return fresh
    const found = await getFromRedis(this.#tiers, address)
    return found === undefined ? undefined : this.#record(address, found)
  }

  /**
   * What the tiers have, or else what `load` reads; concurrent misses share one load, over all replicas while Redis is
   * in use. Rejects with what `load` throws, unless an isolated replica may answer from memory, marked.
   */
  getOrLoad(address: EntryAddress, load: Loader): Promise<Lookup> {
    return this.#read(address, load, this.#engine.flights.started)
  }

  /** `began`: how many flights had been started when the read began. */
  #read(address: EntryAddress, load: Loader, began: number): Promise<Lookup> {
    const now = this.#tiers.runClock.now()
    const held = this.#held(address.key, now)
    if (held !== undefined && now < held.freshUntil) return countHit(held).promise
    if (!this.#engine.options.isEnabled) return this.#bypass(address, load)
    if (held === undefined) return this.#miss(address, load, began)
    this.#refresh(address, load)
    return Promise.resolve(this.#record(address, held))
  }

  /** An entry of memory that may be served, while the barrier is younger than H (which it never is when switched off). */
  #held(key: string, now: number): MemoryEntry | undefined {
    const { memory, journal } = this.#tiers
    return journal.isCurrent(now) ? memory.read(key, now) : undefined
  }

  /**
   * Several entries of one owner: one round trip to Redis and one load for all that no tier has. Answers in the order of
   * `addresses`.
   */
  async getMany(addresses: readonly EntryAddress[], load: ManyLoader): Promise<Lookup[]> {
    const { tiers, options } = this.#engine
    if (addresses.length === 0) return []
    if (!options.isEnabled) {
      const documents = await load(addresses.map((_, at) => at))
      return addresses.map((address, at) => this.#record(address, bypassed(documents[at])))
    }
    const lookups = addresses.map((address) => this.peek(address))
    const missing = lookups.flatMap((lookup, at) => (lookup === undefined ? [at] : []))
    if (missing.length === 0) return lookups.filter((lookup) => lookup !== undefined)
    const asked = addresses.filter((_, at) => lookups[at] === undefined)
    const found = await this.#orStale(
      readMany(tiers, asked, (positions) => load(positions.map((position) => missing[position] ?? 0))),
      () => {
        const stale = asked.map((address) => this.#staleIfError(address))
        return stale.every((lookup) => lookup !== undefined) ? stale : undefined
      },
    )
    missing.forEach((at, n) => {
      const [address, lookup] = [addresses[at], found[n]]
      if (address !== undefined && lookup !== undefined) lookups[at] = this.#record(address, lookup)
    })
    return lookups.filter((lookup) => lookup !== undefined)
  }

  /**
   * Keeps a document that the caller knows to be current now; returns whether it was kept. What was read before the call
   * and may have changed since belongs in {@link TieredCache.getOrLoad}, which takes the stamps before it loads.
   */
  async set(address: EntryAddress, document: Document): Promise<boolean> {
    if (!this.#engine.options.isEnabled) return false
    const flight = this.#flight(address)
    try {
      const lookup = await new ReadThrough(this.#tiers, flight, () => Promise.resolve(document)).write(document)
      return lookup.stored
    } finally {
      flight.land()
    }
  }

  /**
   * Takes committed journal rows in: memory and running loads before this returns, Redis (awaited under its time limit)
   * before the promise resolves. Never rejects: what Redis misses keeps Redis out of use until it is resynced.
   * @returns the write's version token, for {@link TieredCache.require}: signed text of at most 200 characters
   */
  raise(raised: readonly RaisedTag[]): Promise<string> {
    return this.#engine.takeIn(raised).then(() => this.#engine.versionTokens.write(raised))
  }

  /** For what has no rows of its own to write: raises `tags` in a transaction of its own, then as {@link TieredCache.raise}. */
  async invalidate(tags: readonly string[]): Promise<RaisedTag[]> {
    const raised = await this.#engine.options.journal.raise(tags)
    await this.raise(raised)
    return raised
  }

  /** Empties everything on every replica: one journal row, whatever the number of entries. */
  clear(): Promise<RaisedTag[]> {
    return this.invalidate([CLEAR_TAG])
  }

  /**
   * Makes sure that reads that depend on `tags` from here on answer nothing older than the write behind `token`, on any
   * replica: what is older is bypassed as if the journal had told of it already.
   * @throws InvalidVersionTokenError; rejects with the journal's error when it is needed (a write of many tags) and down
   */
  async require(tags: readonly string[], token: string): Promise<void> {
    const { tiers, options, versionTokens } = this.#engine
    const { versions, isPartial } = versionTokens.read(token)
    const known = tags.flatMap((tag) => {
      const version = versions.get(tagDigest(tag))
      return version === undefined ? [] : [{ tag, version }]
    })
    void this.#engine.takeIn(known)
    if (isPartial && options.isEnabled) await tiers.journal.tailNow()
  }

  inspect(address: EntryAddress): Promise<Inspection> {
    return inspect(this.#engine.tiers, address)
  }

  stats(): CacheStats {
    return cacheStats(this.#engine)
  }

  health(): CacheHealth {
    return cacheHealth(this.#engine)
  }

  #miss(address: EntryAddress, load: Loader, began: number): Promise<Lookup> {
    const { clock, journal } = this.#tiers
    const { flights, options } = this.#engine
    const shared = flights.join(address.key, (startedAt) => {
      const now = clock.now()
      return journal.isCurrent(now) || now - startedAt < options.boundMs
    })
    if (shared !== undefined) return this.#share(shared, address, load, began)
    const flight = this.#flight(address)
    const reading = new ReadThrough(this.#tiers, flight, load).read(this.#owner)
    flights.start(flight, reading)
    return this.state === 'isolated' ? this.#orAbandon(flight, reading) : reading
  }

  /** Takes part in another reader's flight. */
  async #share(shared: Shared, address: EntryAddress, load: Loader, began: number): Promise<Lookup> {
    const lookup = await this.#orStale(shared.lookup, () => this.#staleIfError(address))
    // Redis may have answered before this read began, and have acknowledged a raise in between: look again.
    if (lookup.tier === 'redis' && shared.number < began) return this.#read(address, load, began)
    return this.#record(address, lookup.outcome === 'miss' ? { ...lookup, collapsed: true } : lookup)
  }

  async #orAbandon(flight: Flight<MemoryEntry>, reading: Promise<Lookup>): Promise<Lookup> {
    let stale: Lookup | undefined
    const lookup = await this.#orStale(reading, () => (stale = this.#staleIfError(flight.address)))
    if (lookup !== stale) return lookup
    this.#abandoned.add(flight)
    return this.#record(flight.address, lookup)
  }

  /** Counts the flight for the read that started it. */
  #landed({ flight, address, load }: ReadThrough, lookup: Lookup | undefined): void {
    this.#engine.flights.end(flight)
    if (lookup === undefined || this.#abandoned.has(flight)) return
    if (lookup.outcome === 'stale') this.#refresh(address, load)
    this.#record(address, lookup)
  }

  /** One background load of an entry that is stale by time; its failure leaves the entry as it is. */
  #refresh(address: EntryAddress, load: Loader): void {
    if (this.#refreshing.has(address.key)) return
    this.#refreshing.add(address.key)
    const flight = this.#flight(address)
    const done = (): void => {
      this.#refreshing.delete(address.key)
      flight.land()
    }
    new ReadThrough(this.#tiers, flight, load).refresh().then(done, done)
  }

  #flight(address: EntryAddress): Flight<MemoryEntry> {
    const { tags, runClock, randomId } = this.#tiers
    return new Flight({
      address,
      tags,
      startedAt: runClock.now(),
      newLeaseId: randomId,
      superseded: this.#engine.flights.underWay(address.key),
    })
  }

  /** An isolated replica waits at most H for the database, then answers from memory if it may. */
  async #orStale<T>(reading: Promise<T>, stale: () => T | undefined): Promise<T> {
    const { tiers, options } = this.#engine
    if (this.state !== 'isolated') {
      return reading.catch((error: unknown) => {
        const answer = this.state === 'isolated' ? stale() : undefined
        if (answer === undefined) throw error
        return answer
      })
    }
    let cancel: (() => void) | undefined
    const overdue = new Promise<undefined>(
      (resolve) => (cancel = tiers.clock.after(options.boundMs, () => resolve(undefined))),
    )
    try {
      const answer = await Promise.race([reading, overdue])
      return answer ?? stale() ?? (await reading)
    } catch (error) {
      const answer = stale()
      if (answer === undefined) throw error
      return answer
    } finally {
      cancel?.()
    }
  }

  #staleIfError(address: EntryAddress): Lookup | undefined {
    const { tiers, options } = this.#engine
    const now = tiers.clock.now()
    const isolatedMs = now - (tiers.journal.barrier + options.boundMs)
    if (!address.policy.mayServeOnError || isolatedMs > options.staleIfErrorMs) return undefined
    const entry = tiers.memory.read(address.key, now)
    if (entry === undefined) return undefined
    const { document, tier, ttlMs, ageMs, stored, collapsed } = entry
    return { document, outcome: 'stale-if-error', tier, ttlMs, ageMs, stored, collapsed }
  }

  async #bypass(address: EntryAddress, load: Loader): Promise<Lookup> {
    const { tiers } = this.#engine
    const startedAt = tiers.clock.now()
    const document = await load()
    tiers.stats.recordLoad(address.policy.domain, tiers.clock.now() - startedAt)
    return this.#record(address, bypassed(document))
  }

  #record(address: EntryAddress, lookup: Lookup): Lookup {
    this.#engine.tiers.stats.record(address.policy.domain, lookup)
    return lookup
  }
}

function countHit(entry: MemoryEntry): MemoryEntry {
  entry.counts.memoryHits += 1
  if (entry.document === undefined) entry.counts.negativeHits += 1
  return entry
}

function bypassed(document: Document | undefined): Lookup {
  return { document, outcome: 'bypass', tier: undefined, ttlMs: 0, ageMs: 0, stored: false, collapsed: false }
}
