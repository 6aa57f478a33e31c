import {
  Document,
  type EntryAddress,
  type Lookup,
  openTieredCache,
  type TieredCache,
} from '../../../../services/cache/index.js'
import { ProcessClock } from '../../../helpers/cache/fake-clock.js'
import type { ModelJournalStore, ModelTransaction } from '../../../helpers/cache/model-journal.js'
import { ModelRedisClient } from '../../../helpers/cache/model-redis-client.js'
import type { Network } from '../../../helpers/cache/network.js'
import { type Began, type Key, TAGS } from './ledger.js'
import type { World } from './world.js'

export const BOUND_MS = 1_000
export const STALE_IF_ERROR_MS = 3_000
const LEASE_MS = 600
const COMMAND_MS = 100
const RECONNECT_MS = 30
const TTL_MS = 3_000
const GRACE_MS = 1_000
const LIFETIME_MS = TTL_MS + GRACE_MS

/** How a write ends. */
export type Fate = 'acknowledged' | 'crash' | 'rolled back'

export function addressOf(key: Key): EntryAddress {
  const mayServeOnError = key !== 'b'
  const policy = { domain: 'rows', ttlMs: TTL_MS, graceMs: GRACE_MS, negativeTtlMs: 1_500, mayServeOnError }
  return { key: `u/${key}`, tags: TAGS[key], policy }
}

/** One replica: a process with the real engine, its clock, its connections, and the requests it is answering. */
export class Process {
  readonly name: string
  readonly clock: ProcessClock
  readonly store: ModelJournalStore
  readonly redis: ModelRedisClient
  /** `undefined` until it has started. */
  cache: TieredCache | undefined
  isPaused = false
  #heldUp: RegExp | undefined
  isDead = false
  /** Requests not answered yet, in words. */
  readonly underWay = new Set<string>()
  readonly #world: World
  #missed: { readonly label: string; readonly arrive: () => void }[] = []

  constructor(world: World, name: string, wallSkewMs: number) {
    this.#world = world
    this.name = name
    this.clock = new ProcessClock(world.clock, { wallSkewMs })
    const network = this.#network()
    this.store = world.journal.store({ network, name, tailLimit: { clock: this.clock, ms: BOUND_MS } })
    const { clock } = this
    this.redis = new ModelRedisClient({
      server: world.redis,
      clock,
      network,
      name,
      timeoutMs: COMMAND_MS,
      reconnectMs: RECONNECT_MS,
    })
  }

  get isRunning(): boolean {
    return !this.isDead && !this.isPaused
  }

  async start(): Promise<void> {
    try {
      this.cache = await openTieredCache({
        isEnabled: true,
        journal: this.store,
        redis: { client: this.redis, isCluster: false },
        clock: this.clock,
        random: this.#world.random,
        randomId: this.#world.randomId,
        boundMs: BOUND_MS,
        staleIfErrorMs: STALE_IF_ERROR_MS,
        maxItems: 2,
        maxBytes: 1_000_000,
        longestLifetimeMs: LIFETIME_MS,
        leaseMs: LEASE_MS,
        isTimed: false,
        expectsMisses: this.#world.expectsMisses,
        events: {
          onState: ({ from, to, reason }) =>
            this.#world.tell(() => `${this.name} is ${to}${from === undefined ? '' : `, was ${from}`} (${reason})`),
          onRedisLost: () => {},
          onRedisLive: () => {},
          onCapacity: () => {},
          onDiscontinuity: () => this.#world.ledger.broken.push(`${this.name} saw the journal go back`),
        },
      })
    } catch {
      // As in production: a process that can't reach the journal at its start ends, and is started again.
      this.kill()
    }
  }

  /** Resolves once it has been answered, as all requests here. */
  async read(key: Key): Promise<void> {
    const { cache } = this
    if (cache === undefined || !this.isRunning) return
    const address = addressOf(key)
    await this.#judge(`reads ${key}`, [key], async () => [await cache.getOrLoad(address, () => this.#load(key))])
  }

  /** Reads without a load; nothing found is no answer. */
  async look(key: Key): Promise<void> {
    const { cache } = this
    if (cache === undefined || !this.isRunning) return
    await this.#judge(`looks at ${key}`, [key], async () => [await cache.get(addressOf(key))])
  }

  async readMany(keys: readonly Key[]): Promise<void> {
    const { cache } = this
    if (cache === undefined || !this.isRunning) return
    await this.#judge(`reads ${keys.join(' and ')}`, keys, () =>
      cache.getMany(keys.map(addressOf), (missing) => this.#loadMany(missing.flatMap((at) => keys[at] ?? []))),
    )
  }

  async write(row: 'a' | 'b', fate: Fate): Promise<void> {
    if (this.cache === undefined || !this.isRunning) return
    const { ledger } = this.#world
    const request = this.#request(`writes ${row}`)
    let transaction: ModelTransaction | undefined
    try {
      transaction = await this.store.begin()
      const raised = await transaction.raise([TAGS[row][0] ?? '', TAGS.list[0] ?? ''])
      if (fate === 'rolled back') {
        await this.store.ask('rollback', () => transaction?.rollback())
        return
      }
      const commit = transaction.commit.bind(transaction)
      const isCommitted = await this.store.ask('commit', () => commit(() => ledger.change(row)))
      if (!isCommitted) return
      if (fate === 'crash') this.kill()
      else await this.cache.raise(raised)
      this.#world.tell(
        () => `${this.name} ${fate === 'crash' ? 'dies after its commit' : `acknowledges its write of ${row}`}`,
      )
    } catch {
      transaction?.rollback()
    } finally {
      request()
    }
  }

  /** Clears everything, after rows were changed past the cache: {@link Ledger.committed} does both at once. */
  async clear(): Promise<void> {
    const { cache } = this
    if (cache === undefined || !this.isRunning) return
    const request = this.#request('clears everything')
    try {
      await cache.clear()
    } catch {
      // Not acknowledged.
    } finally {
      request()
    }
  }

  kill(): void {
    this.isDead = true
    this.underWay.clear()
    this.clock.kill()
    this.redis.kill()
    this.store.kill()
  }

  pause(): void {
    this.isPaused = true
    this.clock.pause()
  }

  /** Messages to this process with such labels are held up on the way; it goes on working and sending. */
  holdUp(labels: RegExp | undefined): void {
    this.#heldUp = labels
    if (labels === undefined && !this.isPaused) this.#takeMissed()
  }

  /** `first` runs before the timers and messages that came meanwhile: a request that waited in the socket. */
  resume(first: () => void = () => {}): void {
    if (!this.isPaused) return
    this.isPaused = false
    first()
    this.clock.resume()
    this.#takeMissed()
  }

  /** One by one, as the scheduler says: between two of them everything that can run has run. */
  #takeMissed(): void {
    const missed = this.#missed
    this.#missed = []
    for (const { label, arrive } of missed) this.#post(label, arrive)
  }

  #post(label: string, arrive: () => void): void {
    this.#world.network.post(label, () => {
      if (!label.endsWith(`→ ${this.name}`) && !label.includes(`→ ${this.name}:`)) arrive()
      else if (this.isPaused || this.#heldUp?.test(label) === true) this.#missed.push({ label, arrive })
      else if (!this.isDead) arrive()
    })
  }

  /** What is on its way to a stopped process waits, to a dead one is lost; what it sent arrives. */
  #network(): Network {
    return {
      post: (label, arrive) => this.#post(label, arrive),
      tell: (words) => this.#world.tell(words),
    }
  }

  #load(key: Key): Promise<Document | undefined> {
    return this.store.ask(`load ${key}`, () => documentOf(this.#world.ledger.values[key]))
  }

  #loadMany(keys: readonly Key[]): Promise<(Document | undefined)[]> {
    return this.store.ask(`load ${keys.join(' and ')}`, () =>
      keys.map((key) => documentOf(this.#world.ledger.values[key])),
    )
  }

  async #judge(
    words: string,
    keys: readonly Key[],
    read: () => Promise<readonly (Lookup | undefined)[]>,
  ): Promise<void> {
    const { ledger } = this.#world
    const began: Began[] = keys.map((key) => ledger.begin(key, this.name))
    const done = this.#request(words)
    try {
      const lookups = await read()
      began.forEach((one, at) => {
        const lookup = lookups[at]
        if (lookup === undefined || this.isDead) return
        this.#world.tell(() => `${this.name} answers ${wordsOf(one.key, lookup)}`)
        ledger.answered(one, lookup)
      })
    } catch (error) {
      if (!this.isDead) for (const one of began) ledger.failed(one, error)
    }
    done()
  }

  #request(words: string): () => void {
    const request = `${this.name} ${words} (${this.#world.randomId()})`
    this.#world.tell(() => `${this.name} ${words}`)
    this.underWay.add(request)
    return () => void this.underWay.delete(request)
  }
}

function wordsOf(key: Key, { document, outcome, tier }: Lookup): string {
  return `${key} = ${document?.json ?? 'no row'} (${outcome}, ${tier ?? 'database'})`
}

function documentOf(value: number): Document | undefined {
  return value === 0 ? undefined : new Document(String(value), `"${value}"`)
}
