import { BatchedMget } from './batched-mget.js'
import type { Breaker } from './breaker.js'
import { decodeEntry, encodeEntry, type StoredEntry, versionOf } from './codec.js'
import type { EntryAddress, RaisedTag } from './entry.js'
import { ownerOf } from './entry.js'
import type { RedisClient } from './redis-client.js'
import type { RedisKeys } from './redis-keys.js'
import { BEGIN, FILL, RAISE, RELEASE, type Script, VOUCH } from './redis-scripts.js'
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
  /** {@link Clock.endOfRun}: reads of one run share a command. */
  readonly endOfRun: ((work: () => void) => void) | undefined
  readonly onError: () => void
}

export interface RedisRead {
  /** `undefined`: there is none, or it is not valid any more. */
  readonly entry: StoredEntry | undefined
  readonly isLeased: boolean
}

export interface RedisBegin {
  readonly stamps: ReadonlyMap<string, string>
  /** Per address: may this load go ahead, or is another replica at it? */
  readonly leases: readonly boolean[]
}

export interface RedisFill {
  readonly address: EntryAddress
  readonly entry: StoredEntry
  readonly lifetimeMs: number
}

/** The commands of the protocol, each one round trip. All of them reject while the breaker is open. */
export class RedisTier {
  readonly #options: RedisTierOptions
  readonly #reads: BatchedMget

  constructor(options: RedisTierOptions) {
    this.#options = options
    const run = <T>(command: () => Promise<T>): Promise<T> => this.#run(command)
    this.#reads = new BatchedMget({ client: options.client, run, endOfRun: options.endOfRun })
  }

  /**
   * An entry and the tags it depends on, at one moment: it is returned only while each of its tags is present and equal
   * to its stamp. `withLease`: also whether somebody holds the lease to load it.
   */
  async read(
    address: EntryAddress,
    clearVersion: number,
    options?: { readonly withLease: boolean },
  ): Promise<RedisRead> {
    const { keys, isCluster } = this.#options
    const { key, tags } = address
    const names = [keys.entry(key, clearVersion)]
    for (const tag of tags) names.push(keys.tag(tag))
    if (options?.withLease === true) names.push(keys.lease(key, clearVersion))
    const values = await this.#reads.get(isCluster ? ownerOf(key) : '', names)
    const text = values[0]
    const entry = text == null ? undefined : decodeEntry(text)
    const isValid = entry !== undefined && tags.every((_, n) => values[n + 1] === entry.stamps[n])
    return { entry: isValid ? entry : undefined, isLeased: options?.withLease === true && values.at(-1) != null }
  }

  /** An entry as it lies there, valid or not, and its tags' values: for inspection. */
  async look(
    address: EntryAddress,
    clearVersion: number,
  ): Promise<{ entry: StoredEntry | undefined; current: Map<string, string> }> {
    const { client, keys } = this.#options
    const names = [keys.entry(address.key, clearVersion), ...address.tags.map((tag) => keys.tag(tag))]
    const [text, ...values] = await this.#run(() => client.mget(names))
    const current = new Map<string, string>()
    address.tags.forEach((tag, n) => {
      const value = values[n]
      if (value != null) current.set(tag, value)
    })
    return { entry: text == null ? undefined : decodeEntry(text), current }
  }

  /** Takes the stamps to load under, and the leases. `heard` gives the version each tag must have at least. */
  async begin(request: {
    readonly addresses: readonly EntryAddress[]
    readonly clearVersion: number
    readonly heard: (tag: string) => number
    /** Empty: take no leases. */
    readonly leaseId: string
    readonly supersededId: string
  }): Promise<RedisBegin> {
    const { keys, leaseMs, tagLifetimeMs, randomId } = this.#options
    const { addresses, clearVersion, heard, leaseId, supersededId } = request
    const tags = tagsOf(addresses)
    const names = leaseId === '' ? [] : addresses.map(({ key }) => keys.lease(key, clearVersion))
    const leases = names.length
    for (const tag of tags) names.push(keys.tag(tag))
    const reply = (await this.#script(BEGIN, names, [
      leases,
      leaseId,
      supersededId,
      leaseMs,
      tagLifetimeMs,
      randomId(),
      ...tags.map(heard),
    ])) as (number | string)[]
    const stamps = new Map(tags.map((tag, at) => [tag, String(reply[leases + at])]))
    return { stamps, leases: addresses.map((_, at) => at >= leases || reply[at] === 1) }
  }

  /** Stores each entry whose tags still equal its stamps; returns which were accepted. */
  async fill(fills: readonly RedisFill[], clearVersion: number, leaseId: string): Promise<boolean[]> {
    const { keys } = this.#options
    const addresses = fills.map(({ address }) => address)
    const stamps = new Map<string, string>()
    for (const { address, entry } of fills) address.tags.forEach((tag, n) => stamps.set(tag, entry.stamps[n] ?? ''))
    const tags = [...stamps.keys()]
    const names = [
      ...addresses.map(({ key }) => keys.entry(key, clearVersion)),
      ...addresses.map(({ key }) => keys.lease(key, clearVersion)),
      ...tags.map((tag) => keys.tag(tag)),
    ]
    const reply = (await this.#script(FILL, names, [
      fills.length,
      leaseId,
      ...stamps.values(),
      ...fills.flatMap(({ address, entry, lifetimeMs }) => [
        encodeEntry(entry),
        Math.max(1, Math.ceil(lifetimeMs)),
        address.tags.map((tag) => tags.indexOf(tag) + 1).join(' '),
      ]),
    ])) as number[]
    return reply.map((accepted) => accepted === 1)
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
        this.#script(
          RAISE,
          rows.map(({ tag }) => keys.tag(tag)),
          [tagLifetimeMs, randomId(), ...rows.map(({ version }) => version)],
        ),
      ),
    )
  }

  async release(address: EntryAddress, clearVersion: number, leaseId: string): Promise<void> {
    await this.#script(RELEASE, [this.#options.keys.lease(address.key, clearVersion)], [leaseId])
  }

  /** Vouches until `validUntil` on Redis's clock (0: asks the time only); returns Redis's time in ms. */
  async vouch(clearVersion: number, validUntil: number): Promise<number> {
    const reply = await this.#script(VOUCH, [this.#options.keys.voucher()], [clearVersion, Math.floor(validUntil)])
    return Number(reply)
  }

  /** The clear version of the replica that vouches for Redis now, or `undefined` when none does. */
  async readVoucher(): Promise<number | undefined> {
    const { client, keys } = this.#options
    const value = await this.#run(() => client.get(keys.voucher()))
    return value === null ? undefined : versionOf(value)
  }

  #script(script: Script, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const { client } = this.#options
    return this.#run(() =>
      client.evalsha(script.sha, keys.length, ...keys, ...values).catch((error: unknown) => {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return client.eval(script.text, keys.length, ...keys, ...values)
      }),
    )
  }

  async #run<T>(command: () => Promise<T>): Promise<T> {
    const { breaker, onError } = this.#options
    if (breaker.isOpen) throw new Error('Redis is out of use after repeated failures')
    try {
      const reply = await command()
      breaker.succeeded()
      return reply
    } catch (error) {
      onError()
      breaker.failed(error instanceof Error ? error.message : String(error))
      throw error
    }
  }
}

function tagsOf(addresses: readonly EntryAddress[]): string[] {
  const first = addresses[0]
  if (addresses.length === 1 && first !== undefined) return [...first.tags]
  return [...new Set(addresses.flatMap(({ tags }) => tags))]
}
