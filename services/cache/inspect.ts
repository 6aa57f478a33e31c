import { versionOf } from './codec.js'
import type { EntryAddress } from './entry.js'
import type { MemoryEntry } from './memory-entry.js'
import { type Tiers, usableRedis } from './tiers.js'

export interface TierInspection {
  readonly present: boolean
  readonly state: 'fresh' | 'stale' | 'expired' | 'absent' | 'unreachable'
  readonly age_ms: number | null
  readonly ttl_ms: number | null
  readonly negative: boolean
  /** Per tag: what the entry was read under, and what holds now. */
  readonly stamps: { tag: string; stamp: string | null; current: string | null }[]
  readonly verdict: string
}

export interface Inspection {
  readonly key: string
  readonly memory: TierInspection
  readonly redis: TierInspection
}

/** What each tier holds of one entry and whether it would be served, in words. Counts nothing, drops nothing. */
export async function inspect(tiers: Tiers, address: EntryAddress): Promise<Inspection> {
  return { key: address.key, memory: inspectMemory(tiers, address), redis: await inspectRedis(tiers, address) }
}

function inspectMemory(tiers: Tiers, address: EntryAddress): TierInspection {
  const { memory, clock, tags, journal } = tiers
  const now = clock.now()
  const entry = memory.peek(address.key)
  if (entry === undefined) return absent('not in memory')
  const state = lifetimeState(entry.freshUntil - now, entry.expiresAt - now)
  const isServed = !memory.isBehind(entry) && state !== 'expired'
  return {
    present: true,
    state,
    age_ms: Math.round(now - entry.loadedAt),
    ttl_ms: Math.round(entry.freshUntil - now),
    negative: entry.document === undefined,
    stamps: stampsOf(entry),
    verdict: !journal.isCurrent(now)
      ? 'memory is bypassed: the journal is not followed'
      : isServed
        ? `served (${state})`
        : entry.clearVersion !== tags.clearVersion
          ? 'not served: cleared'
          : state === 'expired'
            ? 'not served: its lifetime is over'
            : 'not served: invalidated',
  }
}

function stampsOf({ key, ownVersion, link: first }: MemoryEntry): TierInspection['stamps'] {
  const stamps: TierInspection['stamps'] = []
  // It would have been dropped, had a higher version been heard of.
  if (ownVersion !== undefined) stamps.push({ tag: key, stamp: `${ownVersion}`, current: `${ownVersion}` })
  for (let link = first; link !== undefined; link = link.sibling) {
    stamps.push({ tag: link.state.tag, stamp: `${link.version}`, current: `${link.state.heard}` })
  }
  return stamps
}

async function inspectRedis(tiers: Tiers, address: EntryAddress): Promise<TierInspection> {
  const redis = usableRedis(tiers)
  if (redis === undefined)
    return unreachable(tiers.redis === undefined ? 'Redis is not configured' : 'Redis is not in use')
  const wallMs = tiers.clock.wallMs()
  try {
    const { entry, current } = await redis.look(address, tiers.tags.clearVersion)
    if (entry === undefined) return absent('not in Redis')
    const state = lifetimeState(entry.freshUntil - wallMs, entry.expiresAt - wallMs)
    const isEqual = address.tags.every((tag, n) => current.get(tag) === entry.stamps[n])
    const isBehind = address.tags.some((tag, n) => versionOf(entry.stamps[n] ?? '') < tiers.tags.heardOf(tag))
    return {
      present: true,
      state,
      age_ms: Math.max(0, wallMs - entry.loadedAt),
      ttl_ms: entry.freshUntil - wallMs,
      negative: entry.document === undefined,
      stamps: address.tags.map((tag, n) => ({
        tag,
        stamp: entry.stamps[n] ?? null,
        current: current.get(tag) ?? null,
      })),
      verdict: !isEqual
        ? 'not served: a tag has moved on'
        : isBehind
          ? 'not served: behind what this replica has heard from the journal'
          : `served (${state})`,
    }
  } catch (error) {
    return unreachable(error instanceof Error ? error.message : String(error))
  }
}

function lifetimeState(freshMs: number, leftMs: number): 'fresh' | 'stale' | 'expired' {
  if (leftMs <= 0) return 'expired'
  return freshMs > 0 ? 'fresh' : 'stale'
}

function absent(verdict: string): TierInspection {
  return { present: false, state: 'absent', age_ms: null, ttl_ms: null, negative: false, stamps: [], verdict }
}

function unreachable(verdict: string): TierInspection {
  return { ...absent(verdict), state: 'unreachable' }
}
