import type { Provenance } from './core/knowledge.js'
import type { DomainCounts } from './stats.js'

/** How long an entry lives, and under which name it is counted. All times in ms, to 1e12; what is left out has the cache's default. */
export interface Policy {
  /** Name under which hits, misses and loads are counted. */
  readonly domain?: string | undefined
  /** Fresh time, before jitter. */
  readonly ttl?: number | undefined
  /** After the fresh time: how long a stale entry may be served while one background refresh runs. */
  readonly grace?: number | undefined
  /** Lifetime of a negative entry ("no such row"); it has no grace. 0: none is kept. */
  readonly negativeTtl?: number | undefined
  /**
   * May an isolated replica answer from memory, marked, when the database does not? `undoubted`: yes, but not with what a hint puts
   * in doubt. That is for credentials: what is known to be revoked, or to be perhaps, opens nothing.
   */
  readonly mayServeOnError?: boolean | 'undoubted' | undefined
  /** May Redis hold it? `false` for what proves who somebody is: who can write to Redis could forge it. */
  readonly inRedis?: boolean | undefined
}

/** What a read says of its entry beside the key. */
export interface EntryOptions<Value = unknown> extends Policy {
  /** Every change of the answer must raise at least one of these. An entry depends on `*` without saying so. */
  readonly tags: readonly string[]
  /** More tags, from what was loaded: of rows that the answer refers to. */
  readonly tagsOf?: (value: Value | undefined) => readonly string[]
}

/**
 * Reads the database; `undefined` means "no such row". Throws what the database throws. It must see all that was committed
 * before it was called: no standby, and no transaction whose snapshot is older.
 */
export type Loader<Value = unknown> = () => Promise<Value | undefined>

/** How a read was answered. */
export type Outcome = 'hit' | 'stale' | 'miss' | 'bypass' | 'stale-if-error'

export interface Lookup<Value = unknown> {
  /** `undefined`: there is no such row (a negative entry, or a load that found none). Shared between callers: do not change it. */
  readonly value: Value | undefined
  readonly outcome: Outcome
  /** The tier that answered; `undefined` when the database did. */
  readonly tier: 'memory' | 'redis' | undefined
  /** Milliseconds of fresh time left; negative once the entry is stale by time. */
  readonly ttlMs: number
  /** Milliseconds since the load that made the value began. */
  readonly ageMs: number
  /** A miss whose value was kept. */
  readonly stored: boolean
  /** A miss that shared another reader's load. */
  readonly collapsed: boolean
}

/** An entry of the memory tier. Times are monotonic ms. */
export interface Entry {
  readonly key: string
  /** `undefined`: a negative entry. */
  readonly value: unknown
  readonly tags: readonly string[]
  /** The slots of its tags, by {@link Heard.slotsOf}. */
  readonly slots: readonly number[]
  /** When the load began. */
  readonly loadedAt: number
  readonly freshUntil: number
  readonly expiresAt: number
  /** Where hits of the entry are counted. */
  readonly counts: DomainCounts
  /** What it counts for in the tier's bound. */
  readonly bytes: number
  provenance: Provenance
  /** {@link Knowledge.news} at the moment the entry was last found current. As long as that has not moved, the entry is still current. */
  judgedAt: number
  /** {@link Hints.given} at the moment when the entry was last found in no doubt. As long as that has not moved, it still is. */
  undoubtedAt: number
  /** Set by a use, taken back when room is made. */
  isVisited: boolean
}

/** The longest time of an entry: one that is infinite has no text, and no server takes it. About 30 years. */
const LONGEST_MS = 1e12

/** Largest share of the fresh time that jitter takes off, so that entries filled together do not expire together. */
const JITTER = 0.1

/** Every time of a policy, in ms. */
export type Lifetimes = Readonly<Record<'ttl' | 'grace' | 'negativeTtl', number>>

/** How long one new entry is fresh and kept, in ms from its load: jittered downwards by up to 10 %. `random` is in [0, 1). */
export function lifetimeOf(
  policy: Policy,
  defaults: Lifetimes,
  { isNegative, random }: { readonly isNegative: boolean; readonly random: number },
): { readonly freshMs: number; readonly lifetimeMs: number } {
  const { ttl = defaults.ttl, grace = defaults.grace, negativeTtl = defaults.negativeTtl } = policy
  const freshMs = Math.ceil(bounded(isNegative ? negativeTtl : ttl) * (1 - JITTER * random))
  return { freshMs, lifetimeMs: isNegative ? freshMs : freshMs + bounded(grace) }
}

/** What is below 0 or no number is no time. */
function bounded(ms: number): number {
  return ms > 0 ? Math.min(ms, LONGEST_MS) : 0
}

export function hitOf(entry: Entry, now: number): Lookup {
  const ttlMs = entry.freshUntil - now
  return {
    value: entry.value,
    outcome: ttlMs > 0 ? 'hit' : 'stale',
    tier: 'memory',
    ttlMs,
    ageMs: now - entry.loadedAt,
    stored: false,
    collapsed: false,
  }
}
