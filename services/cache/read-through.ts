import type { StoredEntry } from './codec.js'
import type { Document, EntryAddress, Loader, Lookup } from './entry.js'
import { begin, type Begun, keep, promote, release } from './filling.js'
import type { MemoryEntry } from './memory-entry.js'
import { ANY_ENTRY } from './redis-loads.js'
import type { RedisReader } from './redis-reads.js'
import type { Flight } from './single-flight.js'
import { type Tiers, usableRedis } from './tiers.js'

/** First and longest pause of a reader that waits for another replica's load, in ms. */
const FIRST_PAUSE_MS = 4
const LONGEST_PAUSE_MS = 100

/** Who starts flights: asked and told about how they end. */
export interface FlightOwner {
  /** Before the readers get their answer; without a lookup when the read failed. */
  landed(reading: ReadThrough, lookup: Lookup | undefined): void
  /** The answer of memory when a load has failed, if there may be one. */
  insteadOfLoad(address: EntryAddress): Lookup | undefined
}

/**
 * The read path below memory, once per flight: Redis, or else begin, load and fill.
 * No failure of Redis fails the read; what the loader throws is thrown on.
 */
export class ReadThrough implements RedisReader {
  readonly address: EntryAddress
  readonly clearVersion: number
  readonly flight: Flight<MemoryEntry>
  readonly load: Loader
  readonly #tiers: Tiers
  #owner: FlightOwner | undefined
  #resolve: ((lookup: Lookup | Promise<Lookup>) => void) | undefined
  #hasLooked = false

  constructor(tiers: Tiers, flight: Flight<MemoryEntry>, load: Loader) {
    this.address = flight.address
    this.clearVersion = flight.clearVersion
    this.#tiers = tiers
    this.flight = flight
    this.load = load
  }

  /** A hit in Redis costs one promise, and is promoted to memory in the run that its reply came in. */
  read(owner: FlightOwner): Promise<Lookup> {
    this.#owner = owner
    const redis = usableRedis(this.#tiers)
    if (redis === undefined || redis.isMissLikely) return this.#loadFor(owner)
    return new Promise((resolve) => {
      this.#resolve = resolve
      redis.read(this)
    })
  }

  onRead(entry: StoredEntry | undefined): void {
    this.#hasLooked = true
    const hit = entry === undefined ? undefined : promote(this.#tiers, this.flight, entry)
    if (hit === undefined) return this.onReadFailed()
    this.#owner?.landed(this, hit)
    this.#resolve?.(hit)
  }

  onReadFailed(): void {
    if (this.#owner !== undefined) this.#resolve?.(this.#loadFor(this.#owner))
  }

  /** For an entry that is stale by time: loads unless another replica is at it. */
  async refresh(): Promise<void> {
    const begun = await begin(usableRedis(this.#tiers), this.flight, Math.floor(this.#tiers.clock.wallMs()))
    if (begun.entry !== undefined) promote(this.#tiers, this.flight, begun.entry)
    else if (begun.isGranted) await this.#loadAndKeep(begun)
  }

  /** Keeps a document that is at hand, under stamps taken now. */
  async write(document: Document): Promise<Lookup> {
    const begun = await begin(usableRedis(this.#tiers), this.flight)
    const startedAt = this.#tiers.clock.now()
    return (await keep(this.#tiers, { flight: this.flight, begun, document, startedAt })).lookup
  }

  async #loadFor(owner: FlightOwner): Promise<Lookup> {
    let lookup: Lookup | undefined
    try {
      const begun = await this.#beginOrWait()
      lookup = 'outcome' in begun ? begun : await this.#loadOnceOrTwice(begun)
      return lookup
    } catch (error) {
      lookup = owner.insteadOfLoad(this.address)
      if (lookup === undefined) throw error
      return lookup
    } finally {
      owner.landed(this, lookup)
    }
  }

  /** A refused fill means that the document was changed during the load: loaded once more, then answered unkept. */
  async #loadOnceOrTwice(begun: Begun): Promise<Lookup> {
    const first = await this.#loadAndKeep(begun)
    if (!first.isRefused) return first.lookup
    return (await this.#loadAndKeep(await begin(usableRedis(this.#tiers), this.flight))).lookup
  }

  /**
   * Takes the lease, unless Redis has the entry; while another replica has it, asks for either again with growing pauses,
   * at most one lease long.
   */
  async #beginOrWait(): Promise<Begun | Lookup> {
    const { clock, leaseMs, random } = this.#tiers
    const giveUpAt = clock.now() + leaseMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const isLeaseNeeded = clock.now() < giveUpAt
      let begun = await begin(usableRedis(this.#tiers), this.flight, ANY_ENTRY)
      if (!this.#hasLooked) begun.redis?.countLook({ isMiss: begun.entry === undefined })
      this.#hasLooked = true
      if (begun.entry !== undefined) {
        const hit = promote(this.#tiers, this.flight, begun.entry)
        if (hit !== undefined) return hit
        // Behind what has been heard of since, or over.
        begun = await begin(usableRedis(this.#tiers), this.flight)
      }
      if (begun.isGranted || !isLeaseNeeded) return begun
      await clock.sleep(pauseMs * (0.5 + random() / 2))
    }
  }

  async #loadAndKeep(begun: Begun): Promise<{ readonly lookup: Lookup; readonly isRefused: boolean }> {
    const { clock, stats } = this.#tiers
    const startedAt = clock.now()
    let document: Document | undefined
    try {
      document = await this.load()
    } catch (error) {
      release(begun.redis, this.flight)
      throw error
    } finally {
      stats.recordLoad(this.address.policy.domain, clock.now() - startedAt)
    }
    return await keep(this.#tiers, { flight: this.flight, begun, document, startedAt })
  }
}
