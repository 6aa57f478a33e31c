import { randomBytes, randomInt } from 'node:crypto'
import { Announcer, AnnouncerFailures } from './journal/announcer.js'
import type { Clock } from './clock.js'
import type { Codec } from './redis/entry-codec.js'
import { Fills } from './fills.js'
import { EVERYTHING } from './core/heard.js'
import type { CacheEvents, ReplicaState, Trace } from './events.js'
import { JournalFollower } from './journal/follower.js'
import type { Journal, TailAnswer } from './journal/journal.js'
import { Knowledge } from './core/knowledge.js'
import { Memory } from './memory.js'
import { ReadPath } from './read-path.js'
import { Redis, type RedisClient, type RedisEvents } from './redis/redis.js'
import { type CacheSettings, settingsOf } from './settings.js'
import { Stats } from './stats.js'
import { type MissedInvalidation, Verifier } from './verifier.js'

export interface CacheOptions extends Partial<CacheSettings> {
  readonly journal: Journal
  readonly redis?: { readonly client: RedisClient; readonly isCluster?: boolean } | undefined
  readonly events?: Partial<CacheEvents>
  /** Told of the steps of each read that memory did not answer; costs nothing when left out. */
  readonly trace?: Trace | undefined
}

/** 8 MiB at most; with 100,000 tags changed since, 3 % of the old entries that nobody asked for meanwhile collide. */
const SLOTS = 2 ** 20
/** Marks are at least this far apart, and about 60 of them are kept. */
const MARK_EVERY_MS = 30_000
const MARKS = 60

/** The parts of one replica's cache, wired and observed. */
export class Replica {
  readonly settings: CacheSettings
  readonly journal: Journal
  readonly clock: Clock
  readonly codec: Codec
  readonly knowledge = new Knowledge({ slots: SLOTS, seed: randomInt(2 ** 32) })
  readonly memory: Memory
  readonly redis: Redis | undefined
  readonly follower: JournalFollower
  readonly announcer: Announcer | undefined
  readonly fills = new Fills(this)
  readonly reads = new ReadPath(this)
  readonly stats: Stats
  readonly verifier: Verifier
  readonly trace: Trace | undefined
  readonly stateChanges: Record<ReplicaState, number> = { coherent: 0, 'memory-only': 0, isolated: 0, disabled: 0 }
  readonly #events: Partial<CacheEvents>
  readonly #cancels = new Map<string, () => void>()
  #isStarted = false
  #state: ReplicaState | undefined
  #redisTold: 'connecting' | 'lost' | 'in use' | undefined

  constructor({ journal, redis, events = {}, trace, ...options }: CacheOptions) {
    this.settings = settingsOf(options)
    this.#events = events
    this.trace = trace
    this.journal = journal
    const { settings, knowledge } = this
    const { clock, codec, isEnabled, isTimed, boundMs, maxItems, maxBytes, keyPrefix, secret } = settings
    this.clock = clock
    this.codec = codec
    this.stats = new Stats({ isTimed })
    this.verifier = new Verifier(this, settings.verification)
    this.memory = new Memory({
      maxItems,
      maxBytes,
      knowledge,
      defer: (work) => void clock.after(0, work),
      onCapacity: (full) => this.#tell((told) => told.onCapacity?.({ ...full, maxBytes })),
    })
    if (isEnabled && redis !== undefined) {
      const { client, isCluster = false } = redis
      this.redis = new Redis({ client, isCluster, keyPrefix, secret, clock, events: this.#redisEvents() })
    }
    this.follower = new JournalFollower({
      journal,
      knowledge,
      clock,
      boundMs,
      onTail: (answer, isAnother) => this.#tailed(answer, isAnother),
      onChange: () => this.observe(),
    })
    if (journal.listen !== undefined) {
      const failures = new AnnouncerFailures()
      this.announcer = new Announcer({
        listen: journal.listen,
        clock,
        boundMs,
        replicas: () => this.follower.replicas,
        sender: randomBytes(9).toString('base64url'),
        onHint: (tags) => {
          failures.heard()
          knowledge.hints.add(tags)
          this.raised(tags)
        },
        onError: (error) => this.report(error, failures.wordsFor(error, this.announcer?.state)),
      })
    }
  }

  /** Resolves after the first tail; rejects when the journal can't be reached. */
  async start(): Promise<void> {
    const { journal, settings } = this
    const { isEnabled, boundMs, longestLifetimeMs } = settings
    // Whether Redis answers is known within its time limit, which is shorter than a first reading of the journal may take.
    if (isEnabled) await Promise.all([this.follower.start(), this.redis?.breaker.begun])
    this.#isStarted = true
    this.observe()
    if (!isEnabled) return
    void this.announcer?.run()
    const markEveryMs = Math.max(MARK_EVERY_MS, longestLifetimeMs / MARKS)
    this.#every('a heartbeat', boundMs / 6, () => {
      this.observe()
      this.redis?.retry()
    })
    this.#every('a mark', markEveryMs, () => journal.mark(markEveryMs))
    this.#every('a prune', Math.max(longestLifetimeMs / 8, 2 * markEveryMs), () => journal.prune(longestLifetimeMs))
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
    this.verifier.stop()
    this.redis?.stop()
    await Promise.all([this.announcer?.stop(), this.follower.stop()])
    await this.journal.close?.()
  }

  get state(): ReplicaState {
    if (!this.settings.isEnabled) return 'disabled'
    if (!this.follower.isFollowed(this.clock.now())) return 'isolated'
    return this.redis === undefined || this.redis.breaker.isDown ? 'memory-only' : 'coherent'
  }

  /** Tells of a changed state, once. The state itself follows from the barrier and from Redis at any moment. */
  observe(): void {
    if (!this.#isStarted) return
    this.#observeRedis()
    const [from, to] = [this.#state, this.state]
    if (to === from) return
    this.#state = to
    this.stateChanges[to] += 1
    const journal = to === 'isolated' ? `journal: ${this.follower.reason}` : undefined
    const reason = [journal, this.#whyNoRedis].filter((why) => why !== undefined).join('; ') || 'all parts answer'
    this.#tell((told) => told.onState?.({ from, to, reason }))
  }

  get #whyNoRedis(): string | undefined {
    const { breaker } = this.redis ?? {}
    if (breaker === undefined) return 'Redis: not in use'
    return breaker.isDown ? `Redis: ${breaker.isLost ? breaker.reason : 'connecting'}` : undefined
  }

  /** Tells that Redis is lost, and that it is back. A start with it is no news, and one without it only after a while. */
  #observeRedis(): void {
    const { breaker } = this.redis ?? {}
    if (breaker === undefined) return
    const was = this.#redisTold
    this.#redisTold = breaker.isLost ? 'lost' : breaker.isDown ? (was ?? 'connecting') : 'in use'
    if (this.#redisTold === was) return
    if (breaker.isLost) this.#tell((told) => told.onRedisLost?.(breaker.reason))
    else if (!breaker.isDown && was !== undefined) this.#tell((told) => told.onRedisBack?.())
  }

  #redisEvents(): RedisEvents {
    return {
      onChange: () => this.observe(),
      onError: (isRefused) => {
        this.stats.redisErrors += 1
        if (isRefused) this.stats.redisRefusals += 1
      },
      onRefusal: (kind, words) => this.#tell((told) => told.onRedisRefusal?.(kind, words)),
      onOversized: (key, bytes) => {
        this.stats.oversizedEntries += 1
        this.#tell((told) => told.onOversizedEntry?.(key, bytes))
      },
    }
  }

  raised(tags: readonly string[]): void {
    this.#tell((told) => told.onTags?.(tags))
  }

  /** Of what lies in Redis under an entry's name, and is none. */
  invalidEntry(key: string): void {
    this.stats.invalidEntries += 1
    this.#tell((told) => told.onInvalidEntry?.(key))
  }

  missedInvalidation(missed: MissedInvalidation): void {
    this.#tell((told) => told.onMissedInvalidation?.(missed))
  }

  /** Of something that failed and that no reader is told of. Without words it is counted alone. */
  report(error: unknown, during: string | undefined): void {
    this.stats.backgroundErrors += 1
    if (during !== undefined) this.#tell((told) => told.onError?.(error, during))
  }

  /** Listeners are the host's code: what one throws is thrown where no part of the engine waits for it. */
  #tell(how: (listeners: Partial<CacheEvents>) => void): void {
    try {
      how(this.#events)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #tailed({ changes, identity }: TailAnswer, isAnother: boolean): void {
    if (isAnother && identity !== undefined) {
      // What was read under the old identity must go; flights and GETs under way compare it for themselves.
      this.memory.clear()
      this.reads.detachFlights()
      this.redis?.useIdentity(identity)
      this.announcer?.reconnect()
      this.#tell((told) => told.onIdentity?.(identity, this.knowledge.identityNumber === 1))
    }
    if (changes !== undefined && changes.length > 0) this.#tell((told) => told.onChanges?.(changes))
    for (const { tags } of changes ?? []) {
      this.stats.invalidations += tags.length
      if (tags.includes(EVERYTHING)) this.memory.clear()
    }
    this.raised(isAnother ? [EVERYTHING] : (changes?.flatMap(({ tags }) => tags) ?? [EVERYTHING]))
    this.observe()
  }

  /** Again and again, up to a tenth later each time, so that replicas do not keep step. */
  #every(name: string, ms: number, work: () => unknown): void {
    const next = (): void => {
      const cancel = this.clock.after(ms * (1 + this.settings.random() / 10), () => {
        next()
        Promise.resolve()
          .then(work)
          .catch((error: unknown) => this.report(error, name))
      })
      this.#cancels.set(name, cancel)
    }
    next()
  }
}
