import { Batcher } from './batcher.js'
import { type EntryOptions, hitOf, type Loader, type Lookup } from './entry.js'
import { EVERYTHING } from './core/heard.js'
import { inspect, type Inspection } from './inspect.js'
import type { Begun } from './fills.js'
import { JournalUnavailableError } from './journal/follower.js'
import type { ReplicaState } from './events.js'
import type { Replica } from './replica.js'
import { following, health, stats } from './report.js'
import { sees } from './core/snapshot.js'

/** A write, for a read that must not be older: {@link TieredCache.waitFor}. */
export interface WriteVersion {
  /** Which history of the database it is part of. */
  readonly identity: string
  readonly transaction: number
}

export type CacheHealth = ReturnType<TieredCache['health']>
export type CacheStats = ReturnType<TieredCache['stats']>

/** For {@link TieredCache.write}. */
export interface WriteOptions<Value> {
  /** Further tags, of what may have made the work throw this error: of a row that it would have referred to. */
  readonly refusedBy?: (error: unknown) => readonly string[]
  readonly isChange?: (result: Value) => boolean
  /** Further tags, which only the result tells: of a row that the database has named. */
  readonly raised?: (result: Value) => readonly string[]
}

/** What {@link TieredCache.getMany} reads. */
export interface ManyRead<Value = unknown> {
  readonly key: string
  readonly options: EntryOptions<Value>
}

/** Loads what has these positions among the reads; answers in that order, `undefined` where there is none. */
export type ManyLoader<Value> = (missing: readonly number[]) => Promise<readonly (Value | undefined)[]>

/** The largest number of rows that one statement of a loader is asked for. */
const MOST_LOADED = 1_000

/**
 * The tiered cache: memory in front of Redis in front of whatever the loader reads.
 *
 * Promise: after a change has committed, no replica answers older than H without saying so (outcome `stale-if-error`), and the
 * replica that wrote it by {@link TieredCache.write} never does; docs/cache.md has the protocol. It holds for changes that leave
 * a journal row: those of tables with triggers, and {@link TieredCache.invalidate}.
 *
 * Values are shared between callers. Their type is the caller's word, as with `JSON.parse`.
 */
export class TieredCache {
  readonly #replica: Replica

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** Stops following the journal and using Redis; the clients handed in are their owner's to close. */
  async close(): Promise<void> {
    await this.#replica.stop()
  }

  get state(): ReplicaState {
    return this.#replica.state
  }

  /** For how long this replica has been isolated, in ms; below 0 while it is not. */
  get isolatedMs(): number {
    return this.#replica.reads.isolation.ms
  }

  /** A fresh memory hit, counted as one, without a promise; `undefined` (nothing counted) otherwise. */
  peek<Value>(key: string): Lookup<Value> | undefined {
    return this.#replica.reads.peek(key) as Lookup<Value> | undefined
  }

  /** What memory holds, fresh and in no doubt, for who puts an answer together of it: counted as no read. */
  held<Value>(key: string): Lookup<Value> | undefined {
    const now = this.#replica.clock.now()
    const entry = this.#replica.reads.held(key, now)
    return entry && (hitOf(entry, now) as Lookup<Value>)
  }

  /** What the tiers have, without a load; `undefined` when none has it. */
  async get<Value>(key: string, options: EntryOptions<Value>): Promise<Lookup<Value> | undefined> {
    if (!this.#replica.settings.isEnabled) return undefined
    const { reads } = this.#replica
    return (reads.peek(key) ?? (await reads.find(key, options as EntryOptions))) as Lookup<Value> | undefined
  }

  /**
   * What the tiers have, or else what `load` reads; concurrent misses share one load, over all replicas while Redis answers.
   * Rejects with what `load` throws, unless an isolated replica may answer from memory, marked; with JournalUnavailableError, at once,
   * while an isolated replica knows that no load answers.
   *
   * `load` reads the primary, outside of any transaction of the caller's.
   */
  getOrLoad<Value>(key: string, options: EntryOptions<Value>, load: Loader<Value>): Promise<Lookup<Value>> {
    const { settings, reads } = this.#replica
    if (!settings.isEnabled) return this.#bypass(options, load)
    const hit = this.peek<Value>(key)
    if (hit === undefined) return reads.read(key, options as EntryOptions, load) as Promise<Lookup<Value>>
    if (this.isToBeVerified()) this.verify(key, options, load)
    return Promise.resolve(hit)
  }

  /** For who answers hits of {@link TieredCache.peek}, asked once for each: is it one of those to {@link TieredCache.verify}? */
  isToBeVerified(): boolean {
    return this.#replica.verifier.isNext()
  }

  /** Looks again, a moment later, at a hit that was answered; see `verification` of the settings. */
  verify<Value>(key: string, options: EntryOptions<Value>, load: Loader<Value>): void {
    this.#replica.verifier.look(key, options as EntryOptions, load)
  }

  /** Several entries by the same path; `load` is called once for all that have to be loaded at one time. */
  getMany<Value>(many: readonly ManyRead<Value>[], load: ManyLoader<Value>): Promise<Lookup<Value>[]> {
    const { endOfTurn } = this.#replica.clock
    const send = async (missing: readonly number[]): Promise<readonly (Value | undefined)[]> => {
      const values = await load(missing)
      if (values.length === missing.length) return values
      // Each would be kept under the key of another.
      throw new TypeError(`The loader of getMany answered ${values.length} values for ${missing.length} positions`)
    }
    const loads = new Batcher<number, Value | undefined>({ send, endOfTurn, most: MOST_LOADED })
    return Promise.all(many.map(({ key, options }, at) => this.getOrLoad(key, options, () => loads.ask(at))))
  }

  /** To be called before a value is read that {@link TieredCache.set} is to keep. */
  begin(): Begun {
    return this.#replica.fills.begin()
  }

  /** Keeps a value that was read since `begun`, unless something has changed meanwhile; returns whether it is kept. */
  set<Value>(key: string, options: EntryOptions<Value>, value: Value | undefined, begun: Begun): boolean {
    const { settings, fills } = this.#replica
    return (
      settings.isEnabled &&
      fills.keep(key, options as EntryOptions, value, { begun, moreTags: options.tagsOf?.(value) ?? [] })
    )
  }

  /**
   * Runs a write and resolves once no read here answers with anything older. `tags` are those that its triggers raise, or more.
   * They are in doubt from then on whatever became of it: a commit may have gone through although its answer was lost, and a
   * refusal tells the caller something newer than what is cached. The other replicas are told behind the answer, unless
   * `isChange` says of the result that nothing has changed.
   */
  async write<Value>(
    tags: readonly string[],
    work: () => Promise<Value>,
    { refusedBy = () => [], isChange = () => true, raised = () => [] }: WriteOptions<Value> = {},
  ): Promise<Value> {
    try {
      const result = await work()
      if (isChange(result)) this.#replica.announcer?.announce([...tags, ...raised(result)])
      this.#replica.knowledge.hints.add(raised(result))
      this.#replica.raised(tags)
      return result
    } catch (error) {
      this.doubt(refusedBy(error))
      throw error
    } finally {
      this.#replica.knowledge.hints.add(tags)
    }
  }

  /**
   * For who saw in the database that these tags may have changed: what carries them is answered here only after one more look at
   * the journal. Costs no query by itself, and tells nobody else.
   */
  doubt(tags: readonly string[]): void {
    this.#replica.knowledge.hints.add(tags)
  }

  /** Beside triggers, for what they can't see: raises `tags` by a journal row of its own. */
  async invalidate(tags: readonly string[]): Promise<WriteVersion> {
    const { settings, follower, memory, journal } = this.#replica
    const transaction = await this.write(tags, () => journal.touch(tags))
    if (tags.includes(EVERYTHING)) memory.clear()
    else if (settings.isEnabled && (await follower.settled())) memory.sweep()
    return this.version(transaction)
  }

  /**
   * Empties everything: one journal row, whatever the number of entries. Memory is free here at once, and on the others when they hear
   * of it; what Redis holds can't be read from then on, and goes when its lifetime is over.
   */
  clear(): Promise<WriteVersion> {
    return this.invalidate([EVERYTHING])
  }

  /** Names a committed transaction of the database, for {@link TieredCache.waitFor}. */
  version(transaction: number): WriteVersion {
    return { identity: this.identity, transaction }
  }

  /**
   * Tells how many replicas follow the same journal. Many read it less often by the clock, and announce less often, so that it costs the
   * database less; the bound stays.
   */
  sharesJournal(replicas: number): void {
    this.#replica.follower.replicas = replicas
  }

  /** Which history of the database this replica follows; empty before the first tail. */
  get identity(): string {
    return this.#replica.knowledge.identity ?? ''
  }

  /**
   * Resolves once no read that begins here answers without that write. Usually it is seen already; otherwise it takes one tail, which
   * all who wait share. A write of another history is lost or seen after one tail.
   * @throws JournalUnavailableError when no tail can tell within H
   */
  async waitFor(write: { readonly transaction: number; readonly isOfThisHistory: boolean }): Promise<void> {
    const { settings, knowledge, follower, reads, clock } = this.#replica
    if (!settings.isEnabled) return
    if (write.isOfThisHistory && knowledge.seen !== undefined && sees(knowledge.seen, write.transaction)) return
    const mayTell = follower.isFollowed(clock.now()) || follower.isAnswering
    if (!mayTell || !(await follower.settled())) throw new JournalUnavailableError(follower.reason)
    reads.detachFlights()
  }

  inspect<Value>(key: string, options: EntryOptions<Value>): Promise<Inspection> {
    return inspect(this.#replica, key, options as EntryOptions)
  }

  /** Counts since the start, of all and of each domain. */
  stats() {
    return stats(this.#replica)
  }

  /** How closely the journal is followed, and what Redis costs. */
  following() {
    return following(this.#replica)
  }

  /** Asks Redis whether it answers; {@link TieredCache.health} says. Never rejects. */
  async checkRedis(): Promise<void> {
    await this.#replica.redis?.check()
  }

  /** How each part is, in one word. */
  health() {
    return health(this.#replica)
  }

  async #bypass<Value>({ domain }: EntryOptions<Value>, load: Loader<Value>): Promise<Lookup<Value>> {
    const { clock, stats } = this.#replica
    const startedAt = clock.now()
    const value = await load()
    stats.recordLoad(domain, clock.now() - startedAt)
    const lookup = {
      value,
      outcome: 'bypass',
      tier: undefined,
      ttlMs: 0,
      ageMs: 0,
      stored: false,
      collapsed: false,
    } as const
    stats.record(domain, lookup)
    return lookup
  }
}
