import { decodeEntry, encodeEntry } from './redis/entry-codec.js'
import { type Entry, type EntryOptions, hitOf, lifetimeOf, type Lookup } from './entry.js'
import type { Provenance } from './core/knowledge.js'
import { sizeOf } from './memory.js'
import { INVALID } from './redis/redis.js'
import type { Replica } from './replica.js'

/** What is noted before a value is read, so that it can be kept afterwards. */
export interface Begun {
  readonly provenance: Provenance | undefined
  readonly startedAt: number
}

/** A value that was read. */
interface Read {
  readonly begun: Begun
  /** Tags known only from the value itself. */
  readonly moreTags: readonly string[]
  /** The mark of the lease that the read holds. */
  readonly lease?: number | undefined
}

/** An entry that is looked for. */
export interface Sought {
  readonly key: string
  readonly options: EntryOptions
  /** Slots of the tags that are known before the load. */
  readonly slots: readonly number[]
  moreTags: readonly string[]
  /** An entry of Redis is of no use here unless it shows this: the newest change of its tags, or where this replica's knowledge begins. */
  overtakenBy: number
  /** What Redis holds under its name is no entry: it is loaded without waiting for anybody, and overwritten. */
  isInvalid: boolean
}

/** Fills both tiers with what was loaded, and memory with what Redis has. Nothing is kept that is not current at that moment. */
export class Fills {
  readonly #replica: Replica

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** To be called before the value is read that {@link Fills.keep} gets. */
  begin(): Begun {
    return { provenance: this.#replica.knowledge.provenance(), startedAt: this.#replica.clock.now() }
  }

  /** Keeps what was read since `begun`, in both tiers, if it is current; returns whether it is. */
  keep(key: string, options: EntryOptions, value: unknown, { begun, moreTags, lease }: Read): boolean {
    const { knowledge, clock, codec, redis, settings } = this.#replica
    const { provenance, startedAt } = begun
    const tags = union(options.tags, moreTags)
    const slots = knowledge.heard.slotsOf(tags)
    if (provenance === undefined || !knowledge.isCurrent(provenance, slots)) return false
    const times = lifetimeOf(options, settings.defaults, { isNegative: value === undefined, random: settings.random() })
    // What has no lifetime would only push out what others read.
    const isKept = times.lifetimeMs > 0
    const ageMs = clock.now() - startedAt
    const isDone = this.#tried(() => {
      let text: string | undefined
      if (isKept && redis?.breaker.isOpen === false && options.inRedis !== false) {
        const loadedAt = clock.wallMs() - ageMs
        text = encodeEntry({ value, snapshot: provenance.snapshot, loadedAt, ...times, moreTags }, codec)
        // Nobody waits for it: a reader that comes before it is there loads for itself.
        void redis.set(key, text, { lifetimeMs: times.lifetimeMs - ageMs, lease })
      } else if (lease !== undefined) void redis?.release(key, lease)
      if (isKept) this.#remember({ key, value, tags, slots, provenance, ...moments(startedAt, times) }, options, text)
      return true
    })
    return isDone ?? false
  }

  /** `undefined` for a value that the codec can't take: the answer is right all the same. */
  #tried<Result>(work: () => Result): Result | undefined {
    try {
      return work()
    } catch (error) {
      this.#replica.stats.memoryErrors += 1
      this.#replica.report(error, 'keeping a value')
      return undefined
    }
  }

  /** May Redis be asked for it now? Without the journal nothing tells whether what it has is current. */
  isInRedis({ inRedis = true }: EntryOptions): boolean {
    const { redis, follower, clock } = this.#replica
    return inRedis && redis?.breaker.isOpen === false && follower.isFollowed(clock.now())
  }

  /** What Redis has, judged when the reply is there, and kept in memory. */
  async fromRedis(sought: Sought): Promise<Lookup | undefined> {
    const { knowledge, clock, codec, redis, settings, follower } = this.#replica
    const { key, options } = sought
    if (redis === undefined || !this.isInRedis(options)) return undefined
    const { identityNumber } = knowledge
    const text = await redis.get(key)
    if (text === undefined) return undefined
    const stored = text === INVALID ? undefined : decodeEntry(text, codec)
    if (text === INVALID || stored === undefined) {
      sought.isInvalid = true
      this.#replica.invalidEntry(key)
      return undefined
    }
    const { value, snapshot, loadedAt, moreTags } = stored
    // Tags that only the entry names could not be checked for doubt before it was read.
    if (knowledge.hints.has(moreTags) && !(await follower.settled())) return undefined
    const now = clock.now()
    if (!follower.isFollowed(now)) return undefined
    sought.moreTags = moreTags
    const tags = union(options.tags, moreTags)
    const slots = moreTags.length === 0 ? sought.slots : knowledge.heard.slotsOf(tags)
    const provenance = { identity: identityNumber, snapshot }
    if (!knowledge.isCurrent(provenance, slots)) {
      const since = knowledge.isKnown(provenance) ? 0 : (knowledge.floor?.xmax ?? 0)
      sought.overtakenBy = Math.max(knowledge.heard.newest(slots), since)
      return undefined
    }
    // Timed by another machine's wall clock, so held within the policy's own lifetimes.
    const longest = lifetimeOf(options, settings.defaults, { isNegative: value === undefined, random: 0 })
    const times = moments(now - Math.max(0, clock.wallMs() - loadedAt), {
      freshMs: Math.min(stored.freshMs, longest.freshMs),
      lifetimeMs: Math.min(stored.lifetimeMs, longest.lifetimeMs),
    })
    if (now >= times.expiresAt) return undefined
    const entry = this.#tried(() => this.#remember({ key, value, tags, slots, provenance, ...times }, options, text))
    sought.isInvalid = entry === undefined
    return entry && { ...hitOf(entry, now), tier: 'redis' }
  }

  #remember(
    found: Omit<Entry, 'counts' | 'bytes' | 'judgedAt' | 'undoubtedAt' | 'isVisited'>,
    { domain }: EntryOptions,
    text: string | undefined,
  ): Entry {
    const { knowledge, memory, codec, stats } = this.#replica
    const { key, value, tags, slots, loadedAt, freshUntil, expiresAt } = found
    const weight = value === undefined ? 0 : codec.weigh(value, text)
    // It would stay in the sum for good, and nothing be let go any more.
    if (!(weight >= 0)) throw new TypeError(`The codec's weigh answered ${weight}: bytes from 0 are asked for`)
    const bytes = sizeOf(key, tags, weight)
    const provenance = knowledge.renewed(found.provenance)
    const entry: Entry = {
      // Named one by one, and first what a hit looks at: made by a spread, the entry makes a hit take four times as long.
      judgedAt: knowledge.news,
      expiresAt,
      freshUntil,
      undoubtedAt: -1,
      isVisited: false,
      value,
      counts: stats.of(domain),
      tags,
      loadedAt,
      key,
      slots,
      provenance,
      bytes,
    }
    memory.keep(entry)
    return entry
  }
}

function union(tags: readonly string[], more: readonly string[]): readonly string[] {
  return more.length === 0 ? tags : [...new Set([...tags, ...more])]
}

/** Whole milliseconds: V8 would make an object of its own of any other number, and a hit would have to look at three. */
function moments(
  startedAt: number,
  { freshMs, lifetimeMs }: { readonly freshMs: number; readonly lifetimeMs: number },
) {
  const loadedAt = Math.floor(startedAt)
  return { loadedAt, freshUntil: loadedAt + Math.floor(freshMs), expiresAt: loadedAt + Math.floor(lifetimeMs) }
}
