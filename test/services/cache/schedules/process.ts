import {
  type Clock,
  type EntryOptions,
  type Lookup,
  openCache,
  type TieredCache,
} from '../../../../services/cache/index.js'
import { MemoryRedis } from '../../../helpers/cache/memory-redis.js'
import { ModelJournal } from '../../../helpers/cache/model-database.js'
import { type Key, NoAnswer, optionsOf, type Row, tagsOf, valueIn } from './ledger.js'
import type { World } from './world.js'

export const BOUND_MS = 1_000
export const STALE_IF_ERROR_MS = 3_000
const LEASE_MS = 600
/** What a client waits for at most, one way. */
const REDIS_LIMIT_MS = 60
const QUERY_LIMIT_MS = 1_200
/** Few, so that memory makes room. */
const MAX_ITEMS = 3
const LIFETIME_MS = 5_000

/** How a write ends. */
export type Fate = 'acknowledged' | 'answer lost' | 'rolled back'

/** One replica: the real engine, its connections, and the requests it is answering. */
export class Process {
  readonly name: string
  readonly journal: ModelJournal
  readonly redis: MemoryRedis
  /** `undefined` until it has started. */
  cache: TieredCache | undefined
  isDead = false
  /** Requests not answered yet, in words. */
  readonly underWay = new Set<string>()
  /** For a read on whatever replica that must not be older than this one's last write. */
  lastWrite:
    { readonly identity: string; readonly transaction: number; readonly places: Record<Key, number> } | undefined
  readonly #world: World
  readonly #clock: Clock

  constructor(world: World, name: string, wallSkewMs: number) {
    this.#world = world
    this.name = name
    const { clock, database, mostTags } = world
    this.#clock = { ...clockOf(clock), wallMs: () => clock.wallMs() + wallSkewMs }
    this.journal = new ModelJournal(database, { mostTags })
    this.journal.travel = (what) =>
      world.travel(`${what} of ${name}`, what.endsWith('announcement') ? undefined : BOUND_MS / 2)
    this.redis = new MemoryRedis(clock, world.redisKeys)
    this.redis.travel = (what) => world.travel(`${name}: ${what}`, REDIS_LIMIT_MS)
  }

  async start(): Promise<void> {
    try {
      const cache = await openCache({
        journal: this.journal,
        redis: { client: this.redis },
        clock: this.#clock,
        random: this.#world.random,
        boundMs: BOUND_MS,
        staleIfErrorMs: STALE_IF_ERROR_MS,
        maxItems: MAX_ITEMS,
        longestLifetimeMs: LIFETIME_MS,
        leaseMs: LEASE_MS,
        isTimed: false,
        events: { onState: ({ to, reason }) => this.#world.tell(() => `${this.name} is ${to} (${reason})`) },
      })
      if (this.isDead) void cache.close()
      else this.cache = cache
    } catch {
      // As in production: a process that can't reach the journal at its start ends, and is started again.
      this.kill()
    }
  }

  async read(key: Key): Promise<void> {
    await this.#judge(`reads ${key}`, [key], async (cache) => [
      await cache.getOrLoad(key, optionsOf(key), () => this.#load(key)),
    ])
  }

  /** Without a load; nothing found is no answer. */
  async look(key: Key): Promise<void> {
    await this.#judge(`looks at ${key}`, [key], async (cache) => [await cache.get(key, optionsOf(key))])
  }

  async readMany(keys: readonly Key[]): Promise<void> {
    const reads = keys.map((key) => ({ key, options: optionsOf(key) as EntryOptions }))
    await this.#judge(`reads ${keys.join(' and ')}`, keys, (cache) =>
      cache.getMany<string>(reads, async (missing) =>
        Promise.all(missing.flatMap((at) => (keys[at] === undefined ? [] : [this.#load(keys[at])]))),
      ),
    )
  }

  /** A read that must show what `writer` wrote last. */
  async readAfter(writer: Process, key: Key): Promise<void> {
    const { lastWrite } = writer
    const { cache } = this
    if (lastWrite === undefined || cache === undefined) return
    const done = this.#request(`reads ${key} after the last write of ${writer.name}`)
    try {
      const { identity, transaction } = lastWrite
      const isOfThisHistory = identity === cache.identity
      await cache.waitFor({ transaction, isOfThisHistory })
      const { database, ledger } = this.#world
      const waitedFor = isOfThisHistory && identity === database.identity ? lastWrite.places[key] : 0
      const began = ledger.begin(key, this.name, waitedFor)
      const lookup = await cache.getOrLoad(key, optionsOf(key), () => this.#load(key))
      // A crash meanwhile may have taken the write back.
      if (!this.isDead && identity === database.identity) ledger.answered(began, lookup)
    } catch {
      // No tail could tell.
    } finally {
      done()
    }
  }

  async write(row: Row, fate: Fate): Promise<void> {
    const { cache } = this
    if (cache === undefined || this.isDead) return
    const { database, ledger } = this.#world
    const done = this.#request(`writes ${row} (${fate})`)
    const { identity } = cache
    try {
      const places = await cache.write(tagsOf(row), async () => {
        await this.#world.travel(`${this.name}: a write`, QUERY_LIMIT_MS)
        const transaction = database.begin(tagsOf(row), { [row]: this.#world.nextValue() })
        await this.#world.travel(`${this.name}: a commit`, QUERY_LIMIT_MS).catch((error: unknown) => {
          transaction.abort()
          throw error
        })
        if (fate === 'rolled back') {
          transaction.abort()
          throw new Error('rolled back')
        }
        transaction.commit()
        ledger.changed(database.rows)
        const written = { identity: database.identity, transaction: transaction.id, places: ledger.places() }
        await this.#world.travel(`${this.name}: the answer to a commit`, fate === 'answer lost' ? 0 : QUERY_LIMIT_MS)
        if (written.identity === database.identity && written.identity === identity) this.lastWrite = written
        return written.identity === database.identity ? written.places : undefined
      })
      if (places === undefined || this.isDead) return
      ledger.acknowledged(this.name, row, places)
      this.#world.tell(() => `${this.name} acknowledges its write of ${row}`)
    } catch {
      // Not acknowledged.
    } finally {
      done()
    }
  }

  async clear(): Promise<void> {
    const done = this.#request('clears everything')
    await this.cache?.clear().catch(() => {})
    done()
  }

  kill(): void {
    this.isDead = true
    this.underWay.clear()
    void this.cache?.close()
  }

  async #load(key: Key): Promise<string | undefined> {
    const { database } = this.#world
    await this.#world.travel(`${this.name}: load ${key}`, QUERY_LIMIT_MS)
    if (this.#world.isDatabaseDown) throw new NoAnswer('no database')
    const value = valueIn(database.rows, key)
    await this.#world.travel(`${this.name}: rows for ${key}`, QUERY_LIMIT_MS)
    return value
  }

  async #judge(
    words: string,
    keys: readonly Key[],
    read: (cache: TieredCache) => Promise<readonly (Lookup<string> | undefined)[]>,
  ): Promise<void> {
    const { ledger } = this.#world
    if (this.cache === undefined || this.isDead) return
    const began = keys.map((key) => ledger.begin(key, this.name))
    const done = this.#request(words)
    try {
      const lookups = await read(this.cache)
      began.forEach((one, at) => {
        const lookup = lookups[at]
        if (lookup === undefined || this.isDead) return
        this.#world.tell(() => `${this.name} answers ${one.key} = ${lookup.value} (${lookup.outcome}, ${lookup.tier})`)
        ledger.answered(one, lookup)
      })
    } catch (error) {
      if (!this.isDead) for (const one of began) ledger.failed(one, error)
    }
    done()
  }

  #request(words: string): () => void {
    const request = `${this.name} ${words} (${this.#world.nextValue()})`
    this.#world.tell(() => `${this.name} ${words}`)
    this.underWay.add(request)
    return () => void this.underWay.delete(request)
  }
}

function clockOf(clock: Clock): Omit<Clock, 'wallMs'> {
  return {
    now: () => clock.now(),
    sleep: (ms) => clock.sleep(ms),
    after: (ms, work) => clock.after(ms, work),
    endOfTurn: (work) => clock.endOfTurn(work),
  }
}
