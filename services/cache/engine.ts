import { Breaker } from './breaker.js'
import { type Clock, RunClock } from './clock.js'
import type { RaisedTag } from './entry.js'
import { JournalFollower } from './journal.js'
import type { JournalStore } from './journal-store.js'
import type { MemoryEntry } from './memory-entry.js'
import { MemoryTier } from './memory-tier.js'
import type { RedisClient } from './redis-client.js'
import { RedisKeys } from './redis-keys.js'
import { RedisLink } from './redis-link.js'
import { RedisTier } from './redis-tier.js'
import { SingleFlight } from './single-flight.js'
import { Stats } from './stats.js'
import { CLEAR_TAG, TagRegistry } from './tags.js'
import { VersionTokens } from './version-token.js'
import { replicaState, type ReplicaState, type Tiers } from './tiers.js'

/** What the engine tells its operator. */
export interface EngineEvents {
  /** The replica's state changed; `reason` in words. Once per change. */
  onState(change: { readonly from: ReplicaState | undefined; readonly to: ReplicaState; readonly reason: string }): void
  /** Redis went out of use, or a first attempt failed. Once until it is back. */
  onRedisLost(reason: string): void
  onRedisLive(): void
  /** Memory is full and lets entries go. Called at every eviction. */
  onCapacity(): void
  /** The journal went back in time: this process can't know what it missed and must be started anew. */
  onDiscontinuity(): void
}

export interface EngineOptions {
  readonly isEnabled: boolean
  readonly journal: JournalStore
  readonly redis: { readonly client: RedisClient; readonly isCluster: boolean } | undefined
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** Unique over all replicas and all time. */
  readonly randomId: () => string
  /** H in ms. */
  readonly boundMs: number
  readonly staleIfErrorMs: number
  readonly maxItems: number
  readonly maxBytes: number
  /** No entry lives longer, in ms. */
  readonly longestLifetimeMs: number
  /** How long one replica may load while the others wait, in ms. */
  readonly leaseMs: number
  /** Record load times in histograms? */
  readonly isTimed: boolean
  /** Until there are reads to judge by: is Redis likely to lack what is read? Then reads begin their loads at once. */
  readonly expectsMisses?: boolean
  readonly events: EngineEvents
}

/** Failures of Redis in a row after which no request waits for it. */
const BREAKER_LIMIT = 5
/** Versions remembered of tags that nothing in memory depends on. */
const MAX_IDLE_TAGS = 100_000
const PRUNE_EVERY_MS = 3_600_000

/** The parts of one replica's cache and what keeps them going. */
export class Engine {
  readonly options: EngineOptions
  readonly tiers: Tiers
  readonly flights = new SingleFlight<MemoryEntry>()
  #state: ReplicaState | undefined
  #wasRedisLost = false
  #redisStops = 0
  readonly stateChanges: Record<ReplicaState, number> = {
    coherent: 0,
    'memory-only': 0,
    'redis-only': 0,
    isolated: 0,
    disabled: 0,
  }
  readonly #cancels = new Map<string, () => void>()

  readonly versionTokens: VersionTokens

  constructor(options: EngineOptions, identity: { readonly id: string; readonly secret: string }) {
    this.options = options
    this.versionTokens = new VersionTokens(identity.secret)
    const journalId = identity.id
    const { clock, boundMs, journal, events, random, randomId, leaseMs } = options
    const tags = new TagRegistry<MemoryEntry>({ maxIdle: MAX_IDLE_TAGS })
    const runClock = new RunClock(clock)
    const memory = new MemoryTier({
      clock: runClock,
      maxItems: options.maxItems,
      maxBytes: options.maxBytes,
      tags,
      defer: (work) => void clock.after(0, work),
      onCapacity: events.onCapacity,
    })
    const stats = new Stats({ isTimed: options.isTimed })
    this.tiers = {
      clock,
      runClock,
      tags,
      memory,
      stats,
      leaseMs,
      random,
      randomId,
      redis: options.redis === undefined ? undefined : this.#redis(options.redis, { journalId, tags, stats }),
      journal: new JournalFollower({
        store: journal,
        clock,
        boundMs,
        onRaised: (raised) => void this.takeIn(raised),
        onTail: (startedAt) => {
          void this.tiers.redis?.link.vouch(startedAt)
          this.observe()
        },
        onDiscontinuity: () => this.#discontinued(journalId),
        onChange: () => this.observe(),
      }),
    }
  }

  /** Resolves after the first tail; Redis is taken up in the background. */
  async start(): Promise<void> {
    const { journal, redis, tags } = this.tiers
    if (!this.options.isEnabled) return
    await journal.start()
    tags.hear({ tag: CLEAR_TAG, version: await this.options.journal.versionOf(CLEAR_TAG) })
    redis?.link.start()
    this.observe()
    this.#every(this.options.boundMs / 6, 'heartbeat', () => {
      this.observe()
      if (!journal.isCurrent(this.options.clock.now())) void redis?.link.checkVoucher()
    })
    this.#every(PRUNE_EVERY_MS, 'prune', () => {
      this.options.journal.prune(2 * this.options.longestLifetimeMs).catch(() => undefined)
    })
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
    this.tiers.redis?.link.stop()
    await this.tiers.journal.stop()
  }

  get state(): ReplicaState {
    return this.options.isEnabled ? replicaState(this.tiers, this.options.clock.now()) : 'disabled'
  }

  /** See {@link TieredCache.raise}; rows heard before change nothing. */
  takeIn(raised: readonly RaisedTag[]): Promise<void> {
    const { tags, stats, memory, redis } = this.tiers
    const news = raised.filter((row) => tags.hear(row))
    stats.invalidations += news.length
    // No news may be a notification that was faster than the write it tells of: Redis is still to be waited for.
    const isRaised = redis?.link.raise(news) ?? Promise.resolve()
    // In the same run, and while Redis is at work.
    for (const row of news) {
      if (row.tag === CLEAR_TAG) memory.dropCleared()
      else memory.dropBehind(row)
    }
    return isRaised
  }

  /** Tells of a changed state, once. The state itself follows from the barrier and from Redis at any moment. */
  observe(): void {
    const to = this.state
    const { redis, journal } = this.tiers
    const { events } = this.options
    if (redis !== undefined) {
      const isLost = redis.link.state === 'down'
      if (isLost && !this.#wasRedisLost) events.onRedisLost(redis.link.reason)
      if (redis.link.state === 'live' && (this.#wasRedisLost || this.#redisStops === 0)) events.onRedisLive()
      if (redis.link.state === 'live') this.#redisStops += 1
      if (redis.link.state !== 'resyncing') this.#wasRedisLost = isLost
    }
    if (to === this.#state) return
    const from = this.#state
    this.#state = to
    this.stateChanges[to] += 1
    const why = [
      ...(journal.isCurrent(this.options.clock.now()) ? [] : [`journal: ${journal.reason}`]),
      ...(redis === undefined ? ['Redis: not configured'] : []),
      ...(redis === undefined || redis.link.state === 'live' ? [] : [`Redis: ${redis.link.reason}`]),
    ]
    events.onState({ from, to, reason: why.join('; ') || 'journal and tiers answer' })
  }

  #redis(
    { client, isCluster }: { client: RedisClient; isCluster: boolean },
    parts: { journalId: string; tags: TagRegistry<MemoryEntry>; stats: Stats },
  ): { tier: RedisTier; link: RedisLink } {
    const { clock, boundMs, journal, longestLifetimeMs, leaseMs, randomId } = this.options
    const breaker = new Breaker({ limit: BREAKER_LIMIT, onOpen: (reason) => link.lost(reason) })
    const tier = new RedisTier({
      client,
      keys: new RedisKeys(parts.journalId),
      breaker,
      isCluster,
      leaseMs,
      tagLifetimeMs: 2 * longestLifetimeMs,
      randomId,
      endOfTurn: clock.endOfTurn?.bind(clock),
      expectsMisses: this.options.expectsMisses === true,
      onError: () => {
        parts.stats.redisErrors += 1
        void link.suspect()
      },
    })
    const link: RedisLink = new RedisLink({
      client,
      tier,
      breaker,
      journal,
      clock,
      boundMs,
      lookBackMs: longestLifetimeMs,
      clearVersion: () => parts.tags.clearVersion,
      onVoucher: (version) => void this.takeIn([{ tag: CLEAR_TAG, version }]),
      onChange: () => this.observe(),
    })
    return { tier, link }
  }

  #discontinued(journalId: string): void {
    const { journal, events } = this.options
    journal.renewIdentity(journalId).then(events.onDiscontinuity, events.onDiscontinuity)
  }

  #every(ms: number, name: string, work: () => void): void {
    const again = (): void => {
      this.#cancels.set(name, this.options.clock.after(ms, again))
      work()
    }
    this.#cancels.set(name, this.options.clock.after(ms, again))
  }
}
