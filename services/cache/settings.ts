import { type Clock, systemClock } from './clock.js'
import type { Lifetimes } from './entry.js'
import { type Codec, jsonCodec } from './redis/entry-codec.js'
import type { Verification } from './verifier.js'

/** What may be set; each has a default. */
export interface CacheSettings {
  readonly isEnabled: boolean
  /** What all keys in Redis begin with. */
  readonly keyPrefix: string
  /** What entries in Redis are sealed with, the same on every replica. Without one, who can write to Redis can forge entries. */
  readonly secret: string
  readonly codec: Codec
  /** H in ms: how long after a commit an older value may still be answered. */
  readonly boundMs: number
  /** How long memory answers, marked, once neither journal nor database can be asked. */
  readonly staleIfErrorMs: number
  readonly maxItems: number
  readonly maxBytes: number
  /** Lifetimes of entries that name none. */
  readonly defaults: Lifetimes
  /** Longer than any usual lifetime, in ms: journal rows of before are deleted. */
  readonly longestLifetimeMs: number
  /** How long others wait for one replica's load, in ms. */
  readonly leaseMs: number
  /** Which hits are looked at again a moment later. */
  readonly verification: Verification
  /** Record load times in histograms? */
  readonly isTimed: boolean
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
}

const DEFAULTS: CacheSettings = {
  isEnabled: true,
  keyPrefix: 'roundhouse',
  secret: '',
  codec: jsonCodec,
  boundMs: 1_000,
  staleIfErrorMs: 60_000,
  maxItems: 50_000,
  maxBytes: 64 * 1024 * 1024,
  defaults: { ttl: 300_000, grace: 60_000, negativeTtl: 30_000 },
  longestLifetimeMs: 3_600_000,
  leaseMs: 2_000,
  verification: { share: 0, perSecond: 5 },
  isTimed: true,
  clock: systemClock,
  random: Math.random,
}

/**
 * What is given, and the defaults of the rest. An option that is there but undefined is one that was left out.
 * @throws RangeError for a number that is none, or too small: a bound of NaN bounds nothing, and one of 0 reads the journal without a pause
 */
export function settingsOf(options: Partial<CacheSettings>): CacheSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const settings: CacheSettings = { ...DEFAULTS, ...Object.fromEntries(given) }
  for (const [name, value] of Object.entries({ ...settings, ...settings.verification })) {
    const least = name === 'boundMs' ? 1 : 0
    if (typeof value === 'number' && !(value >= least))
      throw new RangeError(`${name} is ${value}: set it to a number from ${least}, or leave it out`)
  }
  return settings
}
