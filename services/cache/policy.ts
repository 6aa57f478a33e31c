/** How long the entries of one domain live. */
export interface Policy {
  /** Name under which hits, misses and loads are counted. */
  readonly domain: string
  /** Fresh time in ms, before jitter. */
  readonly ttlMs: number
  /** After the fresh time: how long a stale entry may be served while one background refresh runs, in ms. */
  readonly graceMs: number
  /** Lifetime of a negative entry ("no such row") in ms; it has no grace. */
  readonly negativeTtlMs: number
  /** May an isolated replica answer from memory, marked, when the database does not? Never for credentials. */
  readonly mayServeOnError: boolean
}

/** Largest share of the fresh time that jitter takes off, so that entries filled together do not expire together. */
const JITTER = 0.1

/** The lifetimes of one new entry, in ms from its load: jittered downwards by up to 10 %. `random` is in [0, 1). */
export function lifetimes(
  policy: Policy,
  isNegative: boolean,
  random: number,
): { freshMs: number; lifetimeMs: number } {
  const ttlMs = isNegative ? policy.negativeTtlMs : policy.ttlMs
  const freshMs = Math.ceil(ttlMs * (1 - JITTER * random))
  return { freshMs, lifetimeMs: isNegative ? freshMs : freshMs + policy.graceMs }
}

/** The longest any entry of `policy` can live, in ms: what a resync must look back and tag keys must outlive. */
export function longestLifetimeMs(policy: Policy): number {
  return Math.max(policy.ttlMs + policy.graceMs, policy.negativeTtlMs)
}
