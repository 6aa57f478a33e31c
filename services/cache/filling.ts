import { type StoredEntry, versionOf } from './codec.js'
import type { Document, Lookup } from './entry.js'
import type { MemoryEntry } from './memory-entry.js'
import { lifetimes } from './policy.js'
import { NO_ENTRY } from './redis-loads.js'
import type { RedisTier } from './redis-tier.js'
import type { Flight } from './single-flight.js'
import type { Tiers } from './tiers.js'

/** What a load reads under: the stamps Redis gave, or none when Redis is not in use. */
export interface Begun {
  readonly redis: RedisTier | undefined
  readonly stamps: readonly string[]
  /** What Redis has after all, if that was asked for: {@link RedisBegin.freshAfter}. */
  readonly entry: StoredEntry | undefined
  /** `false`: another replica is at the same load, or there is an entry. */
  readonly isGranted: boolean
}

/** Before a load: takes the stamps it reads under, and its lease if it wants one and Redis has no entry. Never rejects. */
export function begin(
  redis: RedisTier | undefined,
  flight: Flight<MemoryEntry>,
  freshAfter = NO_ENTRY,
): Promise<Begun> {
  if (redis === undefined) return Promise.resolve(withoutRedis(flight))
  const { address, clearVersion, leaseId, supersededId } = flight
  const heard = flight.states.map((state) => state.heard)
  return new Promise((resolve) =>
    redis.begin({
      address,
      clearVersion,
      heard,
      leaseId,
      supersededId,
      freshAfter,
      onBegun: ({ entry, stamps, isGranted }) => {
        flight.readUnder(stamps.map(versionOf))
        resolve({ redis, entry, stamps, isGranted })
      },
      onFailed: () => resolve(withoutRedis(flight)),
    }),
  )
}

function withoutRedis(flight: Flight<MemoryEntry>): Begun {
  flight.readUnder()
  return { redis: undefined, entry: undefined, stamps: [], isGranted: true }
}

/** After a load that failed or is not to be kept: others need not wait for it. */
export function release(redis: RedisTier | undefined, { address, clearVersion, leaseId }: Flight<MemoryEntry>): void {
  if (leaseId !== '') redis?.release(address, clearVersion, leaseId).catch(() => undefined)
}

/** After a load that began at `startedAt`: fills Redis, and memory only once Redis has accepted (or is not in use). */
export async function keep(
  tiers: Tiers,
  loaded: {
    readonly flight: Flight<MemoryEntry>
    readonly begun: Begun
    readonly document: Document | undefined
    readonly startedAt: number
  },
): Promise<{ readonly lookup: Lookup; readonly isRefused: boolean }> {
  const { clock, stats, memory, random } = tiers
  const { flight, begun, document, startedAt } = loaded
  const { policy, key } = flight.address
  const ageMs = clock.now() - startedAt
  const { freshMs, lifetimeMs } = lifetimes(policy, document === undefined, random())
  const loadedAt = Math.round(clock.wallMs() - ageMs)
  const freshUntil = loadedAt + freshMs
  const expiresAt = Math.round(loadedAt + lifetimeMs)
  const entry: StoredEntry = { document, loadedAt, freshUntil, expiresAt, stamps: begun.stamps }
  const isRefused = (await fillRedis(begun.redis, flight, entry, lifetimeMs - ageMs)) === 'refused'
  if (isRefused) stats.refusedFills += 1
  const stored =
    !isRefused &&
    memory.keep({
      key,
      document,
      loadedAt: startedAt,
      freshUntil: startedAt + freshMs,
      expiresAt: startedAt + lifetimeMs,
      clearVersion: flight.clearVersion,
      states: flight.states,
      versions: flight.versions,
      counts: stats.of(policy.domain),
    })
  const ttlMs = Math.max(0, freshMs - ageMs)
  const lookup: Lookup = { document, outcome: 'miss', tier: undefined, ttlMs, ageMs, stored, collapsed: false }
  return { lookup, isRefused }
}

/** Never rejects. */
function fillRedis(
  redis: RedisTier | undefined,
  flight: Flight<MemoryEntry>,
  entry: StoredEntry,
  lifetimeMs: number,
): Promise<'accepted' | 'refused' | 'not in use'> {
  if (redis === undefined) return Promise.resolve('not in use')
  if (flight.isDetached) {
    release(redis, flight)
    return Promise.resolve('refused')
  }
  const { address, clearVersion, leaseId } = flight
  return new Promise((resolve) =>
    redis.fill({
      address,
      clearVersion,
      leaseId,
      entry,
      lifetimeMs,
      onFilled: (isAccepted) => resolve(isAccepted ? 'accepted' : 'refused'),
      onFailed: () => resolve('not in use'),
    }),
  )
}

/**
 * Fills memory from an entry that Redis had and answers it. `undefined`: it is behind what this replica has heard of, or
 * its time is over. Its lifetimes were stamped by another machine's wall clock, so they are held within the policy's own.
 */
export function promote(tiers: Tiers, flight: Flight<MemoryEntry>, stored: StoredEntry): Lookup | undefined {
  const { clock, runClock, memory, stats } = tiers
  const { policy, key } = flight.address
  const versions = flight.acceptedVersions(stored)
  if (versions === undefined) return undefined
  const now = runClock.now()
  const wallMs = clock.wallMs()
  const longest = lifetimes(policy, stored.document === undefined, 0)
  const ttlMs = Math.min(stored.freshUntil - wallMs, longest.freshMs)
  const lifetimeMs = Math.min(stored.expiresAt - wallMs, longest.lifetimeMs)
  if (lifetimeMs <= 0) return undefined
  const ageMs = Math.max(0, wallMs - stored.loadedAt)
  memory.keep({
    key,
    document: stored.document,
    loadedAt: now - ageMs,
    freshUntil: now + ttlMs,
    expiresAt: now + lifetimeMs,
    clearVersion: flight.clearVersion,
    states: flight.states,
    versions,
    counts: stats.of(policy.domain),
  })
  const outcome = ttlMs > 0 ? 'hit' : 'stale'
  return { document: stored.document, outcome, tier: 'redis', ttlMs, ageMs, stored: false, collapsed: false }
}
