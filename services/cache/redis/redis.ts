import { Batcher } from '../batcher.js'
import { CircuitBreaker, isRefusal, Refusals, type RefusalKind, wordsOf } from './circuit-breaker.js'
import type { Clock } from '../clock.js'
import { Durations } from '../core/durations.js'
import { EntrySeal, FORMAT_VERSION } from './entry-codec.js'

/**
 * What the engine asks of a Redis client (an ioredis `Redis` or `Cluster` fits). The client brings the time limit: every
 * command rejects within it, at once while not connected (no offline queue), and none is sent again after a reconnect.
 */
export interface RedisClient {
  readonly status: string
  /** Its socket, where it has a single one. */
  readonly stream?: { cork(): void; uncork(): void } | undefined
  get(key: string): Promise<string | null>
  mget(keys: string[]): Promise<(string | null)[]>
  set(key: string, value: string, unit: 'PX', ms: number): Promise<unknown>
  set(key: string, value: string, unit: 'PX', ms: number, condition: 'NX'): Promise<unknown>
  del(key: string): Promise<unknown>
  ping(): Promise<unknown>
  on(event: 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'close', listener: () => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

export interface RedisOptions {
  readonly client: RedisClient
  /** A cluster takes keys of one slot per command; a single server takes any. */
  readonly isCluster: boolean
  readonly keyPrefix: string
  /** What entries are sealed with: {@link EntrySeal}. */
  readonly secret: string
  readonly clock: Clock
  readonly events: RedisEvents
}

export interface RedisEvents {
  /** {@link CircuitBreaker.isDown} or {@link CircuitBreaker.isLost} has changed. */
  onChange(): void
  /** A command failed: refused by the server, or without an answer. */
  onError(isRefused: boolean): void
  /** See `onRedisRefusal` of the cache's events. */
  onRefusal(kind: RefusalKind, words: string | undefined): void
  /** An entry is too large for Redis. */
  onOversized(key: string, bytes: number): void
}

/** Under the name of an entry lies what no replica has stored there. */
export const INVALID = Symbol('no entry of this cache')

/** Keys of one MGET. Above it client and server take turns instead of working at the same time. */
const MOST_KEYS = 32
/** The least that a server's `proto-max-bulk-len` can be: one value above it, and the server closes the connection for all. */
const MOST_BYTES = 1_048_576
/** How long the key stays, in ms, whose writing tells that Redis takes writes again. */
const RETRY_KEY_MS = 1_000
/** Leases that could not be given back are given back when Redis answers again, unless they are over by then. */
const LONGEST_LEASE_MS = 10_000
const MOST_OWED = 1_000

/** Whose the right to load is. `free`: Redis can't tell, so everybody has it. */
export type Lease = 'mine' | 'elsewhere' | 'free'

/**
 * The Redis tier: it stores bytes, and is trusted with no order, no freshness and no content. No failure of it fails a read. A server that
 * answers with a refusal (no memory left, read-only) is still asked; one that does not answer is left alone for a while.
 */
export class Redis {
  readonly #options: RedisOptions
  /** `undefined`: it did not answer. */
  readonly #ask: (name: string) => Promise<string | null | undefined>
  readonly #seal: EntrySeal
  /** Leases that could not be given back, and since when. */
  readonly #owed = new Map<string, number>()
  readonly breaker: CircuitBreaker
  readonly refusals: Refusals
  /** Of commands, from when they are wanted to the answer; what failed counts too. */
  readonly durations = new Durations()
  /** What the client said last of a connection that it could not make. */
  #cause: string | undefined
  #prefix = ''
  /** What is to be sent at the end of this turn. */
  #writes: (() => void)[] = []

  constructor(options: RedisOptions) {
    const { client, isCluster, secret, clock, events } = options
    this.#options = options
    this.#seal = new EntrySeal(secret)
    this.refusals = new Refusals(clock, (kind, words) => events.onRefusal(kind, words))
    this.breaker = new CircuitBreaker({
      clock,
      ping: () => client.ping(),
      whyNotConnected: () => (client.status === 'ready' ? undefined : (this.#cause ?? '')),
      onChange: () => events.onChange(),
      onAnswer: () => this.#answers(),
    })
    const reads = new Batcher<string, string | null | undefined>({
      most: MOST_KEYS,
      endOfTurn: clock.endOfTurn,
      send: async (names) => (await this.#tried('reads', client.mget([...names]))) ?? [],
    })
    this.#ask = isCluster ? (name) => this.#tried('reads', client.get(name).catch(noString)) : (name) => reads.ask(name)
    client.on('close', this.#onClose)
    client.on('error', this.#onClientError)
    this.breaker.begin()
  }

  stop(): void {
    this.breaker.stop()
    this.#options.client.off('close', this.#onClose)
    this.#options.client.off('error', this.#onClientError)
  }

  /** Entries of one history of one database are under one prefix, so that those of another are never read. */
  useIdentity(identity: string): void {
    this.#prefix = `${this.#options.keyPrefix}:${FORMAT_VERSION}:${this.#seal.digestOf(identity)}`
  }

  /** The text of an entry; `undefined` when there is none, or Redis does not answer. Those of one turn share a command. */
  async get(key: string): Promise<string | typeof INVALID | undefined> {
    const name = this.#nameOf(key)
    const sealed = await this.#ask(name)
    if (typeof sealed !== 'string') return undefined
    // Nothing as long is ever stored, and to look whether it opens takes seconds of the event loop where somebody has put a hundred megabytes there.
    return sealed.length > MOST_BYTES ? INVALID : (this.#seal.open(name, sealed) ?? INVALID)
  }

  /**
   * Stores an entry. Whoever stores last wins, also with an older one: the reader judges. Nobody needs to wait for it.
   * @param lease the mark of the lease that its load held: it is given back if nothing is stored
   */
  async set(
    key: string,
    text: string,
    { lifetimeMs, lease }: { readonly lifetimeMs: number; readonly lease?: number | undefined },
  ): Promise<void> {
    const name = this.#nameOf(key)
    const sealed = this.#seal.seal(name, text)
    const isStored =
      this.#fits(key, sealed) && (await this.#write((client) => client.set(name, sealed, 'PX', wholeMs(lifetimeMs))))
    if (!isStored && lease !== undefined) await this.release(key, lease)
  }

  #fits(key: string, sealed: string): boolean {
    if (sealed.length * 3 <= MOST_BYTES) return true
    const bytes = Buffer.byteLength(sealed)
    if (bytes > MOST_BYTES) this.#options.events.onOversized(key, bytes)
    return bytes <= MOST_BYTES
  }

  /**
   * The right to load an entry, cluster-wide, until `ms` are over. `mark` is the newest change that the caller has heard of its tags: nobody
   * waits for a load that a write has overtaken.
   */
  async lease(key: string, mark: number, ms: number): Promise<Lease> {
    const name = this.#leaseName(key, mark)
    const refused = this.refusals.count
    const isSet = await this.#write((client) => client.set(name, '', 'PX', wholeMs(ms), 'NX'))
    if (isSet !== undefined) return isSet === null ? 'elsewhere' : 'mine'
    // It may have been taken although nothing came back, and then nobody would give it back.
    if (this.refusals.count === refused) void this.release(key, mark)
    return 'free'
  }

  /** For a load that takes its time: nobody else begins one meanwhile. */
  async renew(key: string, mark: number, ms: number): Promise<void> {
    await this.#write((client) => client.set(this.#leaseName(key, mark), '', 'PX', wholeMs(ms)))
  }

  /** After a load that left no entry: others need not wait for it. */
  async release(key: string, mark: number): Promise<void> {
    const name = this.#leaseName(key, mark)
    const isDone = (await this.#write((client) => client.del(name))) !== undefined
    if (!isDone && this.#owed.size < MOST_OWED) this.#owed.set(name, this.#options.clock.now())
  }

  #answers(): void {
    const { clock } = this.#options
    this.#cause = undefined
    const since = clock.now() - LONGEST_LEASE_MS
    const names = [...this.#owed].filter(([, at]) => at > since).map(([name]) => name)
    this.#owed.clear()
    for (const name of names) void this.#write((client) => client.del(name))
  }

  /** Tells the breaker of a server that does not answer although nobody asks it for anything. Never rejects. */
  async check(): Promise<void> {
    if (!this.breaker.isOpen) await this.breaker.check()
  }

  /** To be called now and then: what is refused is tried again although no reader needs it. */
  retry(): void {
    const { client, clock } = this.#options
    if (this.breaker.isOpen) return
    const name = `${this.#prefix}:p:${Math.floor(clock.now())}`
    if (this.refusals.isDue('reads')) void this.#tried('reads', client.get(name))
    if (this.refusals.isDue('writes')) void this.#write((client) => client.set(name, '', 'PX', RETRY_KEY_MS))
  }

  /** What a write answers; `undefined` when it failed. */
  #write<Result>(command: (client: RedisClient) => Promise<Result>): Promise<Result | undefined> {
    return this.#tried('writes', this.#atEndOfTurn(command))
  }

  /**
   * Writes of one turn go to the system in one piece at its end: each alone takes twice the time. ioredis' own pipelines do so too, but what
   * they have sent stays in memory until the old generation is collected.
   *
   * At its end, since a command's time begins when it is sent: a turn may take longer than that time, and timers come before replies. A
   * cluster's client has no socket that all of them share.
   */
  #atEndOfTurn<Result>(command: (client: RedisClient) => Promise<Result>): Promise<Result> {
    const { client, clock } = this.#options
    if (client.stream === undefined) return command(client)
    return new Promise((resolve, reject) => {
      const send = (): void => {
        try {
          resolve(command(client))
        } catch (error) {
          reject(error)
        }
      }
      if (this.#writes.push(send) === 1) clock.endOfTurn(this.#sendWrites)
    })
  }

  readonly #sendWrites = (): void => {
    const writes = this.#writes
    this.#writes = []
    const { stream } = this.#options.client
    stream?.cork()
    for (const send of writes) send()
    stream?.uncork()
  }

  #nameOf(key: string): string {
    return this.#named('e', key)
  }

  #leaseName(key: string, mark: number): string {
    return this.#named(`l:${mark}`, key)
  }

  /** In UTF-8 all halves of surrogate pairs are the same: a key with one is written otherwise. */
  #named(kind: string, key: string): string {
    return key.isWellFormed() ? `${this.#prefix}:${kind}:${key}` : `${this.#prefix}:${kind}j:${JSON.stringify(key)}`
  }

  /** What the command answers; `undefined` when it failed. */
  async #tried<Result>(kind: RefusalKind, command: Promise<Result>): Promise<Result | undefined> {
    const { clock } = this.#options
    const askedAt = clock.now()
    try {
      const result = await command
      this.refusals.done(kind)
      return result
    } catch (error) {
      const isRefused = isRefusal(error)
      this.#options.events.onError(isRefused)
      if (isRefused) this.refusals.refused(kind, wordsOf(error))
      // Who refuses a read may refuse everything, as while it loads: a ping tells.
      if (!isRefused || kind === 'reads') this.breaker.failed(error)
      return undefined
    } finally {
      this.durations.record(clock.now() - askedAt)
    }
  }

  readonly #onClose = (): void => {
    this.breaker.failed(this.#cause ?? 'the connection closed')
  }

  readonly #onClientError = (error: unknown): void => {
    this.#cause = wordsOf(error)
  }
}

/** Under the name lies something else than a string: by GET it is an error, and no entry. MGET answers as if there were nothing. */
function noString(error: unknown): string {
  if (wordsOf(error).startsWith('WRONGTYPE')) return ''
  throw error
}

function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms))
}
