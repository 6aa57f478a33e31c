import { encodeEntry, type StoredEntry } from './codec.js'
import { type EntryAddress, ownerOf } from './entry.js'
import { Gathered } from './gathered.js'
import type { RedisCommands } from './redis-commands.js'
import type { RedisKeys } from './redis-keys.js'
import { BEGIN, FILL } from './redis-scripts.js'

export interface RedisBegin {
  readonly address: EntryAddress
  readonly clearVersion: number
  /** The version that each tag of the address must have at least. */
  readonly heard: readonly number[]
  /** Empty: take no lease. */
  readonly leaseId: string
  /** A lease of this id may be taken over; empty: none. */
  readonly supersededId: string
}

export interface RedisBegun {
  /** What to load under, in the order of the address's tags. */
  readonly stamps: readonly string[]
  /** May the load go ahead, or is another replica at it? */
  readonly isGranted: boolean
  /** Another load was stored a moment ago, perhaps after this reader has looked. */
  readonly isFilled: boolean
}

export interface RedisFill {
  readonly address: EntryAddress
  readonly clearVersion: number
  readonly leaseId: string
  readonly entry: StoredEntry
  readonly lifetimeMs: number
}

/** Longer than it takes a reader from its look at Redis to its begin, even on a machine that stalls. */
const MARK_MS = 1_000

interface Waiting<Request, Answer> {
  readonly request: Request
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
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
  readonly #begins: Gathered<Waiting<RedisBegin, RedisBegun>>
  readonly #fills: Gathered<Waiting<RedisFill, boolean>>

  constructor(options: RedisLoadsOptions) {
    const { endOfTurn } = options
    this.#options = options
    this.#begins = new Gathered({ endOfTurn, send: (waiting) => this.#sendBegins(waiting) })
    this.#fills = new Gathered({ endOfTurn, send: (waiting) => this.#sendFills(waiting) })
  }

  begin(request: RedisBegin): Promise<RedisBegun> {
    return this.#add(this.#begins, request)
  }

  /** Resolves with whether the entry was accepted: every one of its tags still equals its stamp. */
  fill(request: RedisFill): Promise<boolean> {
    return this.#add(this.#fills, request)
  }

  #add<Request extends { readonly address: EntryAddress }, Answer>(
    gathered: Gathered<Waiting<Request, Answer>>,
    request: Request,
  ): Promise<Answer> {
    const slot = this.#options.isCluster ? ownerOf(request.address.key) : ''
    return new Promise((resolve, reject) => gathered.add(slot, { request, resolve, reject }))
  }

  #sendBegins(waiting: readonly Waiting<RedisBegin, RedisBegun>[]): void {
    const { commands, keys, leaseMs, tagLifetimeMs, randomId } = this.#options
    const names: string[] = []
    const leaseIds: string[] = []
    for (const { request } of waiting) {
      if (request.leaseId === '') continue
      names.push(keys.lease(request.address.key, request.clearVersion))
      leaseIds.push(request.leaseId, request.supersededId)
    }
    const leases = names.length
    const places = new Map<string, number>()
    const heard: number[] = []
    for (const { request } of waiting) {
      request.address.tags.forEach((tag, n) => {
        const version = request.heard[n] ?? 0
        const place = places.get(tag)
        if (place === undefined) {
          places.set(tag, names.push(keys.tag(tag)) - 1)
          heard.push(version)
        } else if (version > (heard[place - leases] ?? 0)) heard[place - leases] = version
      })
    }
    commands.script(BEGIN, names, [leases, leaseMs, tagLifetimeMs, randomId(), ...leaseIds, ...heard]).then(
      (reply) => {
        const values = reply as readonly (number | string)[]
        let lease = 0
        for (const { request, resolve } of waiting) {
          const stamps = request.address.tags.map((tag) => String(values[places.get(tag) ?? -1]))
          const granted = request.leaseId === '' ? 1 : values[lease++]
          resolve({ stamps, isGranted: granted !== 0, isFilled: granted === 2 })
        }
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error)
      },
    )
  }

  #sendFills(waiting: readonly Waiting<RedisFill, boolean>[]): void {
    const { commands, keys } = this.#options
    /** By tag and stamp: loads that began at different times may hold different stamps of one tag. */
    const numbers = new Map<string, number>()
    const tags: string[] = []
    const stamps: string[] = []
    const numberOf = (tag: string, stamp: string): number => {
      const name = `${stamp} ${tag}`
      let number = numbers.get(name)
      if (number === undefined) {
        number = tags.push(keys.tag(tag))
        stamps.push(stamp)
        numbers.set(name, number)
      }
      return number
    }
    const values: (string | number)[] = []
    for (const { request } of waiting) {
      const { address, entry, lifetimeMs, leaseId } = request
      const own = address.tags.map((tag, n) => numberOf(tag, entry.stamps[n] ?? ''))
      values.push(encodeEntry(entry), Math.max(1, Math.ceil(lifetimeMs)), leaseId, own.join(' '))
    }
    const names = [
      ...waiting.map(({ request }) => keys.entry(request.address.key, request.clearVersion)),
      ...waiting.map(({ request }) => keys.lease(request.address.key, request.clearVersion)),
      ...tags,
    ]
    commands.script(FILL, names, [waiting.length, MARK_MS, ...stamps, ...values]).then(
      (reply) => {
        const accepted = reply as readonly number[]
        waiting.forEach(({ resolve }, n) => resolve(accepted[n] === 1))
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error)
      },
    )
  }
}
