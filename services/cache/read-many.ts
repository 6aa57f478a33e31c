import type { Document, EntryAddress, Lookup } from './entry.js'
import { begin, keep, promote } from './filling.js'
import type { MemoryEntry } from './memory-entry.js'
import { Flight } from './single-flight.js'
import { type Tiers, usableRedis } from './tiers.js'

/** Loads the documents with these positions in the addresses asked for; answers in that order. */
export type ManyLoader = (missing: readonly number[]) => Promise<readonly (Document | undefined)[]>

/**
 * Several entries of one owner below memory: read together, then begun, loaded and filled together where they are
 * missing. No leases: the keys are many and the load is one.
 */
export async function readMany(
  tiers: Tiers,
  addresses: readonly EntryAddress[],
  load: ManyLoader,
): Promise<readonly Lookup[]> {
  const flights = addresses.map((address) => flightOf(tiers, address))
  try {
    const found = await Promise.all(flights.map((flight) => lookInRedis(tiers, flight)))
    const missing = flights.flatMap((_, at) => (found[at] === undefined ? [at] : []))
    if (missing.length > 0) {
      const loaded = await loadAndKeep(tiers, { flights, missing, load })
      missing.forEach((at, n) => (found[at] = loaded[n]))
    }
    return found.filter((lookup) => lookup !== undefined)
  } finally {
    for (const flight of flights) flight.land()
  }
}

/** What Redis has of an entry, promoted to memory, without a load; `undefined` too when it is not in use or fails. */
export async function getFromRedis(tiers: Tiers, address: EntryAddress): Promise<Lookup | undefined> {
  const flight = flightOf(tiers, address)
  try {
    return await lookInRedis(tiers, flight)
  } finally {
    flight.land()
  }
}

function flightOf(tiers: Tiers, address: EntryAddress): Flight<MemoryEntry> {
  const startedAt = tiers.runClock.now()
  return new Flight({ address, tags: tiers.tags, startedAt, newLeaseId: () => '', superseded: undefined })
}

function lookInRedis(tiers: Tiers, flight: Flight<MemoryEntry>): Promise<Lookup | undefined> {
  const redis = usableRedis(tiers)
  if (redis === undefined) return Promise.resolve(undefined)
  const { address, clearVersion } = flight
  return new Promise((resolve) =>
    redis.read({
      address,
      clearVersion,
      onRead: (entry) => resolve(entry && promote(tiers, flight, entry)),
      onReadFailed: () => resolve(undefined),
    }),
  )
}

interface ManyLoad {
  readonly flights: readonly Flight<MemoryEntry>[]
  /** Positions in `flights`. */
  readonly missing: readonly number[]
  readonly load: ManyLoader
}

async function loadAndKeep(tiers: Tiers, { flights, missing, load }: ManyLoad): Promise<Lookup[]> {
  const { clock, stats } = tiers
  const parts = missing.flatMap((at) => flights[at] ?? [])
  const redis = usableRedis(tiers)
  const begun = await Promise.all(parts.map(async (flight) => ({ flight, begun: await begin(redis, flight) })))
  const startedAt = clock.now()
  const documents = await load(missing)
  return Promise.all(
    begun.map(async ({ flight, begun }, n) => {
      stats.recordLoad(flight.address.policy.domain, clock.now() - startedAt)
      const { lookup } = await keep(tiers, { flight, begun, document: documents[n], startedAt })
      return lookup
    }),
  )
}
