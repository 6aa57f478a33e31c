import { type StoredEntry, versionOf } from './codec.js'
import type { Document, EntryAddress, Loader, Lookup } from './entry.js'
import type { MemoryEntry } from './memory-entry.js'
import { lifetimes } from './policy.js'
import type { RedisTier } from './redis-tier.js'
import type { Flight } from './single-flight.js'
import { type Tiers, usableRedis } from './tiers.js'

/** First and longest pause of a reader that waits for another replica's load, in ms. */
const FIRST_PAUSE_MS = 4
const LONGEST_PAUSE_MS = 100

/** What a load reads under: the stamps Redis gave, or none when Redis is not in use. */
interface Begun {
  readonly redis: RedisTier | undefined
  readonly stamps: readonly string[]
}

/**
 * The read path below memory, once per flight: Redis, or else begin, load and fill.
 * No failure of Redis fails the read; what the loader throws is thrown on.
 */
export class ReadThrough {
  readonly #tiers: Tiers
  readonly #flight: Flight<MemoryEntry>
  readonly #address: EntryAddress
  readonly #load: Loader

  constructor(tiers: Tiers, flight: Flight<MemoryEntry>, address: EntryAddress, load: Loader) {
    this.#tiers = tiers
    this.#flight = flight
    this.#address = address
    this.#load = load
  }

  async read(): Promise<Lookup> {
    return (await this.#readRedis())?.hit ?? this.#loadAndKeep()
  }

  /** For an entry that is stale by time: loads unless another replica is at it. */
  async refresh(): Promise<Lookup | undefined> {
    const redis = usableRedis(this.#tiers)
    if (redis === undefined) return this.#loadAndFill(this.#withoutRedis()).then(({ lookup }) => lookup)
    const begun = await this.#begin(redis)
    if (begun === 'leased elsewhere') return undefined
    return (await this.#loadAndFill(begun)).lookup
  }

  /** Keeps a document that is at hand, under stamps taken now. */
  async write(document: Document): Promise<Lookup> {
    const redis = usableRedis(this.#tiers)
    const begun = redis === undefined ? this.#withoutRedis() : await this.#begin(redis, { isLeaseNeeded: false })
    const startedAt = this.#tiers.clock.now()
    return (await this.#keep(begun === 'leased elsewhere' ? this.#withoutRedis() : begun, document, startedAt)).lookup
  }

  /** A refused fill means that the document was changed during the load: loaded once more, then answered unkept. */
  async #loadAndKeep(): Promise<Lookup> {
    const begun = await this.#beginOrWait()
    if ('outcome' in begun) return begun
    const first = await this.#loadAndFill(begun)
    if (!first.isRefused) return first.lookup
    const redis = usableRedis(this.#tiers)
    const again = redis === undefined ? this.#withoutRedis() : await this.#begin(redis, { isLeaseNeeded: false })
    return again === 'leased elsewhere' ? first.lookup : (await this.#loadAndFill(again)).lookup
  }

  /** Takes the lease; while another replica has it, waits for its fill with growing pauses, at most one lease long. */
  async #beginOrWait(): Promise<Begun | Lookup> {
    const { clock, leaseMs, random } = this.#tiers
    const giveUpAt = clock.now() + leaseMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const redis = usableRedis(this.#tiers)
      if (redis === undefined) return this.#withoutRedis()
      const begun = await this.#begin(redis, { isLeaseNeeded: clock.now() < giveUpAt })
      if (begun !== 'leased elsewhere') return begun
      let isLeased = true
      while (isLeased && clock.now() < giveUpAt) {
        await clock.sleep(pauseMs * (0.5 + random() / 2))
        const found = await this.#readRedis({ withLease: true })
        if (found?.hit !== undefined) return found.hit
        isLeased = found?.isLeased === true
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      }
    }
  }

  /**
   * One look at Redis, and at the lease for who waits for it; a valid entry is promoted to memory. `undefined`: Redis is
   * not in use or failed.
   */
  async #readRedis(
    options = { withLease: false },
  ): Promise<{ hit: Lookup | undefined; isLeased: boolean } | undefined> {
    const redis = usableRedis(this.#tiers)
    if (redis === undefined) return undefined
    const address = this.#address
    try {
      const { entry, isLeased } = await redis.read(address, this.#flight.clearVersion, options)
      return { hit: entry === undefined ? undefined : this.#promote(entry), isLeased }
    } catch {
      return undefined
    }
  }

  /** Takes a Redis entry in, unless it is behind what this replica has heard of: then it is a miss. */
  #promote(stored: StoredEntry): Lookup | undefined {
    const { tags } = this.#tiers
    const versions = stored.stamps.map(versionOf)
    if (this.#flight.clearVersion !== tags.clearVersion) return undefined
    if (this.#address.tags.some((tag, n) => (versions[n] ?? -1) < tags.heardOf(tag))) return undefined
    return promote(this.#tiers, this.#address, stored)
  }

  async #begin(redis: RedisTier, options = { isLeaseNeeded: true }): Promise<Begun | 'leased elsewhere'> {
    const { tags } = this.#tiers
    const { leaseId, supersededId, clearVersion } = this.#flight
    try {
      const begun = await redis.begin({
        addresses: [this.#address],
        clearVersion,
        heard: (tag) => tags.heardOf(tag),
        leaseId,
        supersededId,
      })
      if (options.isLeaseNeeded && begun.leases[0] !== true) return 'leased elsewhere'
      const stamps = this.#address.tags.map((tag) => begun.stamps.get(tag) ?? '')
      this.#flight.readUnder(stamps.map(versionOf))
      return { redis, stamps }
    } catch {
      return this.#withoutRedis()
    }
  }

  #withoutRedis(): Begun {
    this.#flight.readUnder()
    return { redis: undefined, stamps: [] }
  }

  async #loadAndFill(begun: Begun): Promise<{ lookup: Lookup; isRefused: boolean }> {
    const { clock, stats } = this.#tiers
    const startedAt = clock.now()
    let document: Document | undefined
    try {
      document = await this.#load()
    } catch (error) {
      begun.redis?.release(this.#address, this.#flight.clearVersion, this.#flight.leaseId).catch(() => undefined)
      throw error
    } finally {
      stats.recordLoad(this.#address.policy.domain, clock.now() - startedAt)
    }
    return this.#keep(begun, document, startedAt)
  }

  /** Fills Redis, and memory only once Redis has accepted (or is not in use). */
  async #keep(
    begun: Begun,
    document: Document | undefined,
    startedAt: number,
  ): Promise<{ lookup: Lookup; isRefused: boolean }> {
    const { clock, stats, random } = this.#tiers
    const { policy } = this.#address
    const ageMs = clock.now() - startedAt
    const { freshMs, lifetimeMs } = lifetimes(policy, document === undefined, random())
    const filled = await this.#fillRedis(begun, document, { ageMs, freshMs, lifetimeMs })
    if (filled === 'refused') stats.refusedFills += 1
    const stored =
      filled !== 'refused' &&
      this.#tiers.memory.keep({
        key: this.#address.key,
        document,
        loadedAt: startedAt,
        freshUntil: startedAt + freshMs,
        expiresAt: startedAt + lifetimeMs,
        clearVersion: this.#flight.clearVersion,
        stamps: this.#flight.stamps,
        counts: stats.of(policy.domain),
      })
    const ttlMs = Math.max(0, freshMs - ageMs)
    const lookup: Lookup = { document, outcome: 'miss', tier: undefined, ttlMs, ageMs, stored, collapsed: false }
    return { lookup, isRefused: filled === 'refused' }
  }

  async #fillRedis(
    { redis, stamps }: Begun,
    document: Document | undefined,
    times: { ageMs: number; freshMs: number; lifetimeMs: number },
  ): Promise<'accepted' | 'refused' | 'not in use'> {
    if (redis === undefined) return 'not in use'
    if (this.#flight.isDetached) {
      redis.release(this.#address, this.#flight.clearVersion, this.#flight.leaseId).catch(() => undefined)
      return 'refused'
    }
    const loadedAt = Math.round(this.#tiers.clock.wallMs() - times.ageMs)
    const [freshUntil, expiresAt] = [loadedAt + times.freshMs, Math.round(loadedAt + times.lifetimeMs)]
    const entry: StoredEntry = { document, loadedAt, freshUntil, expiresAt, stamps }
    const fill = { address: this.#address, entry, lifetimeMs: times.lifetimeMs - times.ageMs }
    try {
      const [isAccepted] = await redis.fill([fill], this.#flight.clearVersion, this.#flight.leaseId)
      return isAccepted === true ? 'accepted' : 'refused'
    } catch {
      return 'not in use'
    }
  }
}

/**
 * Fills memory from a Redis entry and answers it. Its lifetimes were stamped by another machine's wall clock, so they
 * are held within the policy's own; `undefined` when they are over.
 */
export function promote(tiers: Tiers, address: EntryAddress, stored: StoredEntry): Lookup | undefined {
  const { clock, tags, memory, stats } = tiers
  const now = clock.now()
  const wallMs = clock.wallMs()
  const longest = lifetimes(address.policy, stored.document === undefined, 0)
  const ttlMs = Math.min(stored.freshUntil - wallMs, longest.freshMs)
  const lifetimeMs = Math.min(stored.expiresAt - wallMs, longest.lifetimeMs)
  if (lifetimeMs <= 0) return undefined
  const ageMs = Math.max(0, wallMs - stored.loadedAt)
  memory.keep({
    key: address.key,
    document: stored.document,
    loadedAt: now - ageMs,
    freshUntil: now + ttlMs,
    expiresAt: now + lifetimeMs,
    clearVersion: tags.clearVersion,
    stamps: address.tags.map((tag, n) => ({ state: tags.state(tag), version: versionOf(stored.stamps[n] ?? '') })),
    counts: stats.of(address.policy.domain),
  })
  const outcome = ttlMs > 0 ? 'hit' : 'stale'
  return { document: stored.document, outcome, tier: 'redis', ttlMs, ageMs, stored: false, collapsed: false }
}
