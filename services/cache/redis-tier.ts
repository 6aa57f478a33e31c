import type { Breaker } from './breaker.js'
import { decodeEntry, type StoredEntry, versionOf } from './codec.js'
import type { EntryAddress, RaisedTag } from './entry.js'
import { ownerOf } from './entry.js'
import type { RedisClient } from './redis-client.js'
import { MissShare } from './miss-share.js'
import { RedisCommands } from './redis-commands.js'
import type { RedisKeys } from './redis-keys.js'
import { type RedisBegin, type RedisFill, RedisLoads } from './redis-loads.js'
import { type RedisReader, RedisReads } from './redis-reads.js'
import { RAISE, RELEASE, VOUCH } from './redis-scripts.js'
import { CLEAR_TAG } from './tags.js'

export interface RedisTierOptions {
  readonly client: RedisClient
  readonly keys: RedisKeys
  readonly breaker: Breaker
  /** A cluster takes keys of one slot per command; a single server takes any. */
  readonly isCluster: boolean
  readonly leaseMs: number
  /** Longer than any entry lives; a tag key that goes is a miss, never a hit. */
  readonly tagLifetimeMs: number
  readonly randomId: () => string
  /** {@link Clock.endOfTurn}: reads, begins and fills of one turn share commands. */
  readonly endOfTurn: ((work: () => void) => void) | undefined
  /** What the first reads are taken for: {@link RedisTier.isMissLikely}. */
  readonly expectsMisses: boolean
  readonly onError: () => void
}

/** The commands of the protocol, each one round trip. All of them fail while the breaker is open. */
export class RedisTier {
  readonly #options: RedisTierOptions
  readonly #commands: RedisCommands
  readonly #reads: RedisReads
  readonly #loads: RedisLoads
  readonly #misses: MissShare

  constructor(options: RedisTierOptions) {
    this.#options = options
    const { keys, isCluster, endOfTurn, leaseMs, tagLifetimeMs, randomId } = options
    this.#commands = new RedisCommands(options)
    this.#misses = new MissShare({ expectsMisses: options.expectsMisses })
    const [commands, misses] = [this.#commands, this.#misses]
    this.#reads = new RedisReads({ commands, keys, isCluster, endOfTurn, misses })
    this.#loads = new RedisLoads({ commands, keys, isCluster, leaseMs, tagLifetimeMs, randomId, endOfTurn })
  }

  /** Whether a read would find nothing and be followed by a begin, to judge by the latest ones: a begin looks as well. */
  get isMissLikely(): boolean {
    return this.#misses.isMissLikely
  }

  /** For who has looked with a begin, without a read before it. */
  countLook({ isMiss }: { isMiss: boolean }): void {
    this.#misses.count(isMiss)
  }

  /** Calls `reader` back, with an entry that is valid or with none. */
  read(reader: RedisReader): void {
    this.#reads.add(reader)
  }

  /** Takes the stamps to load under, and the lease unless the entry is there. */
  begin(begin: RedisBegin): void {
    this.#loads.begin(begin)
  }

  /** Stores an entry if its tags still equal its stamps, and gives the lease back. */
  fill(fill: RedisFill): void {
    this.#loads.fill(fill)
  }

  /** An entry as it lies there, valid or not, and its tags' values: for inspection. */
  async look(
    address: EntryAddress,
    clearVersion: number,
  ): Promise<{ entry: StoredEntry | undefined; current: Map<string, string> }> {
    const { keys } = this.#options
    const names = [keys.entry(address.key, clearVersion), ...address.tags.map((tag) => keys.tag(tag))]
    const [text, ...values] = await this.#commands.mget(names)
    const current = new Map<string, string>()
    address.tags.forEach((tag, n) => {
      const value = values[n]
      if (value != null) current.set(tag, value)
    })
    return { entry: text == null ? undefined : decodeEntry(text), current }
  }

  /** Makes every tag at least its version. Once this resolves, no entry read under a lower version is valid. */
  async raise(raised: readonly RaisedTag[]): Promise<void> {
    const { keys, isCluster, tagLifetimeMs, randomId } = this.#options
    const slots = new Map<string, RaisedTag[]>()
    for (const row of raised) {
      if (row.tag === CLEAR_TAG) continue
      const slot = isCluster ? ownerOf(row.tag) : ''
      const rows = slots.get(slot)
      if (rows === undefined) slots.set(slot, [row])
      else rows.push(row)
    }
    await Promise.all(
      [...slots.values()].map((rows) =>
        this.#commands.script(
          RAISE,
          rows.map(({ tag }) => keys.tag(tag)),
          [tagLifetimeMs, randomId(), ...rows.map(({ version }) => version)],
        ),
      ),
    )
  }

  async release(address: EntryAddress, clearVersion: number, leaseId: string): Promise<void> {
    await this.#commands.script(RELEASE, [this.#options.keys.lease(address.key, clearVersion)], [leaseId])
  }

  /** Vouches until `validUntil` on Redis's clock (0: asks the time only); returns Redis's time in ms. */
  async vouch(clearVersion: number, validUntil: number): Promise<number> {
    const keys = [this.#options.keys.voucher()]
    return Number(await this.#commands.script(VOUCH, keys, [clearVersion, Math.floor(validUntil)]))
  }

  /** The clear version of the replica that vouches for Redis now, or `undefined` when none does. */
  async readVoucher(): Promise<number | undefined> {
    const value = await this.#commands.get(this.#options.keys.voucher())
    return value === null ? undefined : versionOf(value)
  }
}
