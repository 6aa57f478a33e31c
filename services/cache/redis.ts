import { Batcher } from './batcher.js'
import type { Clock } from './clock.js'
import { EntrySeal, FORMAT_VERSION } from './entry-codec.js'

/**
 * What the engine asks of a Redis client (an ioredis `Redis` or `Cluster` fits). The client brings the time limit: every
 * command rejects within it, at once while not connected (no offline queue), and none is sent again after a reconnect.
 */
export interface RedisClient {
  readonly status: string
  get(key: string): Promise<string | null>
  mget(keys: string[]): Promise<(string | null)[]>
  set(key: string, value: string, unit: 'PX', ms: number): Promise<unknown>
  set(key: string, value: string, unit: 'PX', ms: number, condition: 'NX'): Promise<unknown>
  del(key: string): Promise<unknown>
  ping(): Promise<unknown>
  on(event: 'close', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
}

export interface RedisOptions {
  readonly client: RedisClient
  /** A cluster takes keys of one slot per command; a single server takes any. */
  readonly isCluster: boolean
  readonly keyPrefix: string
  /** What entries are sealed with: {@link EntrySeal}. */
  readonly secret: string
  readonly clock: Clock
  /** {@link CircuitBreaker.isDown} has changed. */
  readonly onChange: () => void
  readonly onError: () => void
}

/** Under the name of an entry lies what no replica has stored there. */
export const INVALID = Symbol('no entry of this cache')

/** Keys of one MGET. Above it client and server take turns instead of working at the same time. */
const MOST_KEYS = 32

/**
 * The Redis tier: it stores bytes, and is trusted with no order, no freshness and no content. No failure of it fails a read. A server that
 * answers with a refusal (no memory left, read-only) is still asked; one that does not answer is left alone for a while.
 */
export class Redis {
  readonly #options: RedisOptions
  readonly #reads: Batcher<string, string | null>
  readonly #seal: EntrySeal
  readonly breaker: CircuitBreaker
  /** What the server refused last, in its own words; `undefined` once it has done the like again. */
  refusal: string | undefined
  #prefix = ''

  constructor(options: RedisOptions) {
    const { client, isCluster, secret, clock, onChange } = options
    this.#options = options
    this.#seal = new EntrySeal(secret)
    this.breaker = new CircuitBreaker({ clock, ping: () => client.ping(), onChange })
    this.#reads = new Batcher({
      most: MOST_KEYS,
      endOfTurn: clock.endOfTurn,
      send: (keys) => (isCluster ? Promise.all(keys.map((key) => client.get(key))) : client.mget([...keys])),
    })
    client.on('close', this.#onClose)
    if (client.status !== 'ready') this.#onClose()
  }

  stop(): void {
    this.breaker.stop()
    this.#options.client.off('close', this.#onClose)
  }

  /** Entries of one history of one database are under one prefix, so that those of another are never read. */
  useIdentity(identity: string): void {
    this.#prefix = `${this.#options.keyPrefix}:${FORMAT_VERSION}:${this.#seal.digestOf(identity)}`
  }

  /** The text of an entry; `undefined` when there is none, or Redis does not answer. Those of one turn share a command. */
  async get(key: string): Promise<string | typeof INVALID | undefined> {
    const name = this.#nameOf(key)
    const sealed = await this.#tried(this.#reads.ask(name))
    return typeof sealed === 'string' ? (this.#seal.open(name, sealed) ?? INVALID) : undefined
  }

  /** Stores an entry. Whoever stores last wins, also with an older one: the reader judges. Nobody needs to wait for it. */
  async set(key: string, text: string, lifetimeMs: number): Promise<void> {
    const { client } = this.#options
    const name = this.#nameOf(key)
    const isSet = await this.#tried(client.set(name, this.#seal.seal(name, text), 'PX', wholeMs(lifetimeMs)))
    if (isSet !== undefined) this.refusal = undefined
  }

  /**
   * The right to load an entry, cluster-wide, until `ms` are over. `mark` is the newest change that the caller has heard of its tags: nobody
   * waits for a load that a write has overtaken. `true` as well when Redis does not answer: then everybody loads.
   */
  async lease(key: string, mark: number, ms: number): Promise<boolean> {
    const name = this.#leaseName(key, mark)
    const isSet = await this.#tried(this.#options.client.set(name, '', 'PX', wholeMs(ms), 'NX'))
    // It may have been taken although nothing came back, and then nobody would give it back.
    if (isSet === undefined) void this.release(key, mark)
    return isSet !== null
  }

  /** After a load that left no entry: others need not wait for it. */
  async release(key: string, mark: number): Promise<void> {
    await this.#tried(this.#options.client.del(this.#leaseName(key, mark)))
  }

  #nameOf(key: string): string {
    return `${this.#prefix}:e:${key}`
  }

  #leaseName(key: string, mark: number): string {
    return `${this.#prefix}:l:${mark}:${key}`
  }

  /** What the command answers; `undefined` when it failed. */
  async #tried<Result>(command: Promise<Result>): Promise<Result | undefined> {
    try {
      return await command
    } catch (error) {
      this.#options.onError()
      if (error instanceof Error && error.name === 'ReplyError') this.refusal = error.message
      else this.breaker.failed(error)
      return undefined
    }
  }

  readonly #onClose = (): void => {
    this.breaker.failed(this.#options.client.status === 'ready' ? 'the connection closed' : 'not connected')
  }
}

function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms))
}

export interface CircuitBreakerOptions {
  readonly clock: Clock
  /** Resolves when the server answers. */
  readonly ping: () => Promise<unknown>
  /** {@link CircuitBreaker.isDown} has changed. */
  readonly onChange: () => void
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/**
 * Keeps requests away from a server that does not answer. One failure opens it, so that no request waits for a time limit
 * twice; it closes with the first ping that is answered. One ping at a time, with growing pauses.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  #isStopped = false
  /** No request goes there. */
  isOpen = false
  /** A ping has failed too: worth telling, which a single lost command is not. */
  isDown = false
  /** Why it is open, in the server's or the client's own words. */
  reason = 'not connected yet'

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
  }

  failed(error: unknown): void {
    this.reason = wordsOf(error)
    if (this.isOpen || this.#isStopped) return
    this.isOpen = true
    void this.#probe()
  }

  /** For good: no request goes there any more, and no ping. */
  stop(): void {
    this.isOpen = true
    this.#isStopped = true
  }

  async #probe(): Promise<void> {
    const { clock, ping, onChange } = this.#options
    for (let ms = FIRST_PAUSE_MS; this.isOpen && !this.#isStopped; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      const failure = await failureOf(ping)
      if (this.#isStopped) return
      this.isOpen = failure !== undefined
      this.reason = failure ?? this.reason
      const hasChanged = this.isDown !== this.isOpen
      this.isDown = this.isOpen
      if (hasChanged) onChange()
      if (this.isOpen) await clock.sleep(ms)
    }
  }
}

/** Why there was no answer, also of a client that throws instead of rejecting; `undefined` when there was one. */
async function failureOf(request: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await request()
    return undefined
  } catch (error) {
    return wordsOf(error)
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
