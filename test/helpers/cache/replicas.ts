import type { Test } from 'tap'
import {
  type CacheOptions,
  type EntryOptions,
  type Lookup,
  openCache,
  type Policy,
  type ReplicaState,
  type TieredCache,
} from '../../../services/cache/index.js'
import { type Deferred, deferred } from './deferred.js'
import { drain, FakeClock } from './fake-clock.js'
import { MemoryRedis, RedisKeys } from './memory-redis.js'
import { ModelDatabase, ModelJournal } from './model-database.js'

/** H of the tests, in ms. */
export const BOUND_MS = 1_000

/** One replica of the real engine, over models of its database and its Redis that a test moves. */
export interface Member {
  readonly cache: TieredCache
  readonly journal: ModelJournal
  readonly redis: MemoryRedis
  /** Each state that it told of, oldest first. */
  readonly states: ReplicaState[]
  /** What else it told of. */
  readonly events: string[]
}

export interface World {
  readonly clock: FakeClock
  readonly database: ModelDatabase
  readonly keys: RedisKeys
  readonly members: readonly Member[]
  /** Opens one more, or one that was away. */
  join(options?: Partial<CacheOptions>): Promise<Member>
}

export interface WorldOptions {
  readonly replicas?: number
  readonly hasRedis?: boolean
  readonly mostTags?: number
  readonly options?: Partial<CacheOptions>
}

/** Some replicas on one database and one Redis. No clock moves by itself. */
export async function startWorld(t: Test, settings: WorldOptions = {}): Promise<World> {
  const { replicas = 2, hasRedis = true, mostTags = 100_000, options = {} } = settings
  const clock = new FakeClock()
  const [database, keys] = [new ModelDatabase(() => clock.now()), new RedisKeys()]
  const join = async (more: Partial<CacheOptions> = {}): Promise<Member> => {
    const [journal, redis] = [new ModelJournal(database, { mostTags }), new MemoryRedis(clock, keys)]
    const [states, events]: [ReplicaState[], string[]] = [[], []]
    const cache = await openCache({
      journal,
      ...(hasRedis && { redis: { client: redis } }),
      clock,
      random: () => 0,
      boundMs: BOUND_MS,
      ...options,
      ...more,
      events: {
        onState: ({ to }) => states.push(to),
        onRedisLost: (reason) => events.push(`Redis lost: ${reason}`),
        onRedisBack: () => events.push('Redis back'),
        onRedisRefusal: (kind, words = 'nothing') => events.push(`Redis refuses ${kind}: ${words}`),
        onIdentity: (identity, isFirst) => events.push(`${isFirst ? 'first' : 'new'} identity: ${identity}`),
        onCapacity: ({ isByItems }) => events.push(`full by ${isByItems ? 'items' : 'bytes'}`),
        onError: (error, during) => events.push(`${during}: ${error instanceof Error ? error.message : String(error)}`),
        ...options.events,
      },
    })
    // LISTEN is there a turn later, and puts everything in doubt until the next tail.
    await drain()
    await clock.advance(BOUND_MS / 3)
    t.teardown(() => Promise.all([clock.advance(10 * BOUND_MS), cache.close()]))
    return { cache, journal, redis, states, events }
  }
  const members: Member[] = []
  for (let n = 0; n < replicas; n++) members.push(await join())
  return { clock, database, keys, members, join }
}

/** An entry of the owner `u` with a tag of its own and the owner's. */
export function entry(name: string, policy: Policy = {}): EntryOptions & { readonly key: string } {
  return { key: `u/${name}`, tags: [tagOf(name), 'u/all'], domain: 'things', ...policy }
}

export function tagOf(name: string): string {
  return `u/things/${name}`
}

/** Reads rows of a database, each read held if a test wants. */
export class Rows {
  /** Loads so far. */
  count = 0
  /** Loads held one by one, in the order they began: {@link Rows.holdEach}. */
  readonly loads: Deferred<void>[] = []
  readonly #database: ModelDatabase
  #held: Deferred<void> | undefined
  #areHeldEach = false
  failure: Error | undefined

  constructor(database: ModelDatabase) {
    this.#database = database
  }

  /** Loads read what is there when they begin, and come back at {@link Rows.release}. */
  hold(): void {
    this.#held ??= deferred()
  }

  /** Each load from now on comes back when its own place in {@link Rows.loads} is resolved. */
  holdEach(): void {
    this.#areHeldEach = true
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  loader(name: string): () => Promise<string | undefined> {
    return async () => {
      this.count += 1
      if (this.failure !== undefined) throw this.failure
      const value = this.#database.rows.get(name)
      const own = this.#areHeldEach ? deferred() : undefined
      if (own !== undefined) this.loads.push(own)
      await (own ?? this.#held)?.promise
      return value
    }
  }

  async read({ cache }: Member, name: string, policy: Policy = {}): Promise<string> {
    const { key, ...options } = entry(name, policy)
    return words(await cache.getOrLoad(key, options, this.loader(name)))
  }
}

/** `value: outcome`, and the tier where there is one. */
export function words({ value, outcome, tier }: Lookup): string {
  return `${typeof value === 'string' ? value : 'nothing'}: ${outcome}${tier === undefined ? '' : ` in ${tier}`}`
}

/** A write by a replica, as a service does it: committed, then in doubt here, then announced. */
export function write({ cache }: Member, database: ModelDatabase, name: string, value: string): Promise<number> {
  return cache.write([tagOf(name)], async () => database.change([tagOf(name)], { [name]: value }))
}
