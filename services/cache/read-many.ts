import { versionOf } from './codec.js'
import type { Document, EntryAddress, Lookup } from './entry.js'
import type { MemoryEntry } from './memory-entry.js'
import { lifetimes } from './policy.js'
import { promote } from './read-through.js'
import type { RedisFill, RedisTier } from './redis-tier.js'
import { Flight } from './single-flight.js'
import { type Tiers, usableRedis } from './tiers.js'

/** Loads the documents with these positions in the addresses asked for; answers in that order. */
export type ManyLoader = (missing: readonly number[]) => Promise<readonly (Document | undefined)[]>

/**
 * Several entries of one owner below memory: one read for all of them, then one begin, one load and one fill for
 * those missing. No leases: the keys are many and the load is one.
 */
export async function readMany(
  tiers: Tiers,
  addresses: readonly EntryAddress[],
  load: ManyLoader,
): Promise<readonly Lookup[]> {
  const flights = addresses.map(
    (address) => new Flight({ address, tags: tiers.tags, startedAt: tiers.clock.now(), leaseId: '', supersededId: '' }),
  )
  try {
    const found = await lookInRedis(tiers, addresses)
    const missing = addresses.flatMap((_, at) => (found[at] === undefined ? [at] : []))
    if (missing.length > 0) {
      const loaded = await loadAndFill(tiers, { addresses, flights, missing, load })
      missing.forEach((at, n) => (found[at] = loaded[n]))
    }
    return found.filter((lookup) => lookup !== undefined)
  } finally {
    for (const flight of flights) flight.land()
  }
}

/** What Redis has of these, promoted to memory, without a load; all `undefined` when it is not in use or fails. */
export async function lookInRedis(tiers: Tiers, addresses: readonly EntryAddress[]): Promise<(Lookup | undefined)[]> {
  const { tags } = tiers
  const redis = usableRedis(tiers)
  if (redis === undefined) return addresses.map(() => undefined)
  const clearVersion = tags.clearVersion
  try {
    const reads = await Promise.all(addresses.map((address) => redis.read(address, clearVersion)))
    return addresses.map((address, at) => {
      const entry = reads[at]?.entry
      if (entry === undefined || clearVersion !== tags.clearVersion) return undefined
      if (address.tags.some((tag, n) => versionOf(entry.stamps[n] ?? '') < tags.heardOf(tag))) return undefined
      return promote(tiers, address, entry)
    })
  } catch {
    return addresses.map(() => undefined)
  }
}

interface ManyLoad {
  readonly addresses: readonly EntryAddress[]
  readonly flights: readonly Flight<MemoryEntry>[]
  readonly missing: readonly number[]
  readonly load: ManyLoader
}

async function loadAndFill(tiers: Tiers, request: ManyLoad): Promise<Lookup[]> {
  const { clock, stats, memory, random } = tiers
  const parts = request.missing.flatMap((at) => {
    const [address, flight] = [request.addresses[at], request.flights[at]]
    return address === undefined || flight === undefined ? [] : [{ address, flight }]
  })
  const begun = await begin(tiers, parts)
  const startedAt = clock.now()
  const documents = await request.load(request.missing)
  const ageMs = clock.now() - startedAt
  const loadedAt = Math.round(clock.wallMs() - ageMs)
  const loads = parts.map(({ address, flight }, n) => {
    const document = documents[n]
    stats.recordLoad(address.policy.domain, ageMs)
    return { address, flight, document, ...lifetimes(address.policy, document === undefined, random()) }
  })
  const accepted = await fill(begun, tiers, {
    clearVersion: parts[0]?.flight.clearVersion ?? tiers.tags.clearVersion,
    fills: loads.map(({ address, document, freshMs, lifetimeMs }) => ({
      address,
      entry: {
        document,
        loadedAt,
        freshUntil: loadedAt + freshMs,
        expiresAt: loadedAt + lifetimeMs,
        stamps: address.tags.map((tag) => begun?.stamps.get(tag) ?? ''),
      },
      lifetimeMs: lifetimeMs - ageMs,
    })),
  })
  return loads.map(({ address, flight, document, freshMs, lifetimeMs }, n) => {
    if (accepted[n] === false) stats.refusedFills += 1
    const stored =
      accepted[n] !== false &&
      memory.keep({
        key: address.key,
        document,
        loadedAt: startedAt,
        freshUntil: startedAt + freshMs,
        expiresAt: startedAt + lifetimeMs,
        clearVersion: flight.clearVersion,
        stamps: flight.stamps,
        counts: stats.of(address.policy.domain),
      })
    const ttlMs = Math.max(0, freshMs - ageMs)
    return { document, outcome: 'miss', tier: undefined, ttlMs, ageMs, stored, collapsed: false }
  })
}

interface ManyBegun {
  readonly redis: RedisTier
  readonly stamps: ReadonlyMap<string, string>
}

async function begin(
  tiers: Tiers,
  parts: readonly { address: EntryAddress; flight: Flight<MemoryEntry> }[],
): Promise<ManyBegun | undefined> {
  const { tags } = tiers
  const redis = usableRedis(tiers)
  const clearVersion = parts[0]?.flight.clearVersion ?? tags.clearVersion
  try {
    if (redis === undefined) throw new Error('Redis is not in use')
    const addresses = parts.map(({ address }) => address)
    const heard = (tag: string): number => tags.heardOf(tag)
    const { stamps } = await redis.begin({ addresses, clearVersion, heard, leaseId: '', supersededId: '' })
    for (const { address, flight } of parts)
      flight.readUnder(address.tags.map((tag) => versionOf(stamps.get(tag) ?? '')))
    return { redis, stamps }
  } catch {
    for (const { flight } of parts) flight.readUnder()
    return undefined
  }
}

/** Per fill: accepted, refused, or `undefined` where Redis is not in use. */
async function fill(
  begun: ManyBegun | undefined,
  tiers: Tiers,
  request: { readonly fills: readonly RedisFill[]; readonly clearVersion: number },
): Promise<(boolean | undefined)[]> {
  if (begun === undefined) return []
  try {
    const behind = request.fills.map(({ address }) =>
      address.tags.some((tag) => versionOf(begun.stamps.get(tag) ?? '') < tiers.tags.heardOf(tag)),
    )
    const accepted = await begun.redis.fill(
      request.fills.filter((_, n) => behind[n] !== true),
      request.clearVersion,
      '',
    )
    let next = 0
    return behind.map((isBehind) => !isBehind && accepted[next++] === true)
  } catch {
    return []
  }
}
