import {
  type Clock,
  Document,
  type EngineOptions,
  type EntryAddress,
  type JournalStore,
  openTieredCache,
  type Policy,
  type RedisClient,
  type ReplicaState,
  type TieredCache,
} from '../../../services/cache/index.js'
import { until } from '../deadline.js'

/** H of the tests, in ms. */
export const BOUND_MS = 1_000
export const LEASE_MS = 2_000
/** Time limit of a Redis command, as in production. */
export const COMMAND_MS = 100
const LONGEST_LIFETIME_MS = 700_000

export const POLICY: Policy = {
  domain: 'designs',
  ttlMs: 600_000,
  graceMs: 60_000,
  negativeTtlMs: 10_000,
  mayServeOnError: true,
}

/** An entry of the owner `u` with a tag of its own and the owner's. */
export function entry(name: string, policy: Partial<Policy> = {}): EntryAddress {
  return { key: `u/${name}`, tags: [tagOf(name), 'u/owner'], policy: { ...POLICY, ...policy } }
}

export function tagOf(name: string): string {
  return `u/tag-${name}`
}

export function text(value: string): Document {
  return new Document(JSON.stringify(value), `"${value}"`)
}

export interface ReplicaParts {
  readonly clock: Clock
  readonly journal: JournalStore
  readonly redis?: RedisClient
  readonly options?: Partial<EngineOptions>
}

export interface Replica {
  readonly cache: TieredCache
  /** Each state the replica told of, oldest first. */
  readonly states: ReplicaState[]
  /** What else it told of. */
  readonly events: string[]
}

let ids = 0

/** Opens one replica of the real engine with the given parts and the tests' settings. */
export async function openReplica({ clock, journal, redis, options = {} }: ReplicaParts): Promise<Replica> {
  const states: ReplicaState[] = []
  const events: string[] = []
  const cache = await openTieredCache({
    isEnabled: true,
    journal,
    redis: redis && { client: redis, isCluster: false },
    clock,
    random: () => 0,
    randomId: () => `id${++ids}`,
    boundMs: BOUND_MS,
    staleIfErrorMs: 60_000,
    maxItems: 1_000,
    maxBytes: 1_000_000,
    longestLifetimeMs: LONGEST_LIFETIME_MS,
    leaseMs: LEASE_MS,
    isTimed: false,
    events: {
      onState: ({ to }) => states.push(to),
      onRedisLost: () => events.push('Redis lost'),
      onRedisLive: () => events.push('Redis live'),
      onCapacity: () => events.push('capacity'),
      onDiscontinuity: () => events.push('discontinuity'),
    },
    ...options,
  })
  return { cache, states, events }
}

/** A loader that counts its loads, and may hold each of them: it answers with the row as it was when it began. */
export class HeldLoader {
  count = 0
  row: Document | undefined
  readonly #held: (() => void)[] = []
  #isHolding = false

  constructor(row?: string) {
    this.row = row === undefined ? undefined : text(row)
  }

  hold(): void {
    this.#isHolding = true
  }

  /** Resolves once `count` loads are under way. */
  async underWay(count: number): Promise<void> {
    await until(() => this.#held.length === count, { describe: `${count} loads are under way`, intervalMs: 1 })
  }

  /** The oldest load under way answers. */
  land(): void {
    this.#held.shift()?.()
  }

  /** Every load under way answers, and later ones are not held. */
  release(): void {
    this.#isHolding = false
    for (const answer of this.#held.splice(0)) answer()
  }

  readonly load = (): Promise<Document | undefined> => {
    this.count += 1
    const { row } = this
    return this.#isHolding ? new Promise((resolve) => this.#held.push(() => resolve(row))) : Promise.resolve(row)
  }
}
