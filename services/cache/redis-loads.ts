import { decodeEntry, encodeEntry, type StoredEntry } from './codec.js'
import { type EntryAddress, ownerOf } from './entry.js'
import { Gathered } from './gathered.js'
import type { RedisCommands } from './redis-commands.js'
import type { RedisKeys } from './redis-keys.js'
import { BEGIN, FILL } from './redis-scripts.js'

/** {@link RedisBegin.freshAfter}: whatever is valid, be it stale by time. */
export const ANY_ENTRY = 0
/** {@link RedisBegin.freshAfter}: none will do, the load is to go ahead. */
export const NO_ENTRY = -1

/** Who is about to load. Called back instead of handed a promise, as in redis-reads.ts; must not throw. */
export interface RedisBegin {
  readonly address: EntryAddress
  readonly clearVersion: number
  /** The version that each tag of the address must have at least. */
  readonly heard: readonly number[]
  /** Empty: take no lease. */
  readonly leaseId: string
  /** A lease of this id may be taken over; empty: none. */
  readonly supersededId: string
  /** An entry that is fresh after this wall-clock ms will do instead of a load. */
  readonly freshAfter: number
  onBegun(begun: RedisBegun): void
  /** Redis did not answer. */
  onFailed(): void
}

export interface RedisBegun {
  /** There is a valid entry after all: nothing needs loading, and no lease was taken. */
  readonly entry: StoredEntry | undefined
  /** What to load under, in the order of the address's tags. */
  readonly stamps: readonly string[]
  /** May the load go ahead? Another replica is at it if not, unless there is an entry. */
  readonly isGranted: boolean
}

/** Who has loaded. Called back, as {@link RedisBegin}. */
export interface RedisFill {
  readonly address: EntryAddress
  readonly clearVersion: number
  readonly leaseId: string
  readonly entry: StoredEntry
  readonly lifetimeMs: number
  /** Accepted: every one of its tags still equals its stamp. */
  onFilled(isAccepted: boolean): void
  /** Redis did not answer. */
  onFailed(): void
}

export interface RedisLoadsOptions {
  readonly commands: RedisCommands
  readonly keys: RedisKeys
  readonly isCluster: boolean
  readonly leaseMs: number
  /** Longer than any entry lives; a tag key that goes is a miss, never a hit. */
  readonly tagLifetimeMs: number
  /** Unique over all replicas and all time. */
  readonly randomId: () => string
  readonly endOfTurn: ((work: () => void) => void) | undefined
}

/** The two commands around a load: begin takes stamps and lease, fill stores what was loaded under them. */
export class RedisLoads {
  readonly #options: RedisLoadsOptions
  readonly #begins: Gathered<RedisBegin>
  readonly #fills: Gathered<RedisFill>

  constructor(options: RedisLoadsOptions) {
    const { endOfTurn } = options
    this.#options = options
    this.#begins = new Gathered({ endOfTurn, send: (begins) => this.#sendBegins(begins) })
    this.#fills = new Gathered({ endOfTurn, send: (fills) => this.#sendFills(fills) })
  }

  begin(begin: RedisBegin): void {
    this.#begins.add(this.#slotOf(begin.address), begin)
  }

  fill(fill: RedisFill): void {
    this.#fills.add(this.#slotOf(fill.address), fill)
  }

  #slotOf({ key }: EntryAddress): string {
    return this.#options.isCluster ? ownerOf(key) : ''
  }

  #sendBegins(begins: readonly RedisBegin[]): void {
    const { commands, keys, leaseMs, tagLifetimeMs, randomId } = this.#options
    const numbers = new Map<string, number>()
    const [entries, leases, tags]: [string[], string[], string[]] = [[], [], []]
    const heard: number[] = []
    const wanted: (string | number)[] = [begins.length, leaseMs, tagLifetimeMs, randomId()]
    for (const begin of begins) {
      const { address, clearVersion, leaseId, supersededId, freshAfter } = begin
      entries.push(keys.entry(address.key, clearVersion))
      leases.push(keys.lease(address.key, clearVersion))
      let looked = `${freshAfter}`
      for (let n = 0; n < address.tags.length; n++) {
        const tag = address.tags[n] ?? ''
        const version = begin.heard[n] ?? 0
        let number = numbers.get(tag)
        if (number === undefined) {
          number = tags.push(keys.tag(tag))
          heard.push(version)
          numbers.set(tag, number)
        } else if (version > (heard[number - 1] ?? 0)) heard[number - 1] = version
        looked += ` ${number}`
      }
      wanted.push(leaseId, supersededId, looked)
    }
    commands.script(BEGIN, [...entries, ...leases, ...tags], [...wanted, ...heard]).then(
      (reply) => {
        const answers = reply as readonly (number | string)[]
        begins.forEach((begin, n) => {
          const answer = answers[n]
          const entry = typeof answer === 'string' ? decodeEntry(answer) : undefined
          const stamps = begin.address.tags.map((tag) => String(answers[begins.length - 1 + (numbers.get(tag) ?? 0)]))
          begin.onBegun({ entry, stamps, isGranted: answer === 1 })
        })
      },
      () => {
        for (const begin of begins) begin.onFailed()
      },
    )
  }

  #sendFills(fills: readonly RedisFill[]): void {
    const { commands, keys } = this.#options
    /** Of the tag as it was last named: loads that began at different times may hold different stamps of one tag. */
    const numbers = new Map<string, number>()
    const [entries, leases, tags]: [string[], string[], string[]] = [[], [], []]
    const stamps: string[] = []
    const loaded: (string | number)[] = []
    for (const { address, clearVersion, leaseId, entry, lifetimeMs } of fills) {
      entries.push(keys.entry(address.key, clearVersion))
      leases.push(keys.lease(address.key, clearVersion))
      let under = ''
      for (let n = 0; n < address.tags.length; n++) {
        const tag = address.tags[n] ?? ''
        const stamp = entry.stamps[n] ?? ''
        let number = numbers.get(tag)
        if (number === undefined || stamps[number - 1] !== stamp) {
          number = tags.push(keys.tag(tag))
          stamps.push(stamp)
          numbers.set(tag, number)
        }
        under += ` ${number}`
      }
      loaded.push(encodeEntry(entry), Math.max(1, Math.ceil(lifetimeMs)), leaseId, under)
    }
    commands.script(FILL, [...entries, ...leases, ...tags], [fills.length, ...stamps, ...loaded]).then(
      (reply) => {
        const accepted = reply as readonly number[]
        fills.forEach((fill, n) => fill.onFilled(accepted[n] === 1))
      },
      () => {
        for (const fill of fills) fill.onFailed()
      },
    )
  }
}
