import type { Scheduler } from 'fast-check'
import { drain, FakeClock } from '../../../helpers/cache/fake-clock.js'
import { type MemoryRedis, RedisKeys } from '../../../helpers/cache/memory-redis.js'
import { ModelDatabase } from '../../../helpers/cache/model-database.js'
import { KEYS, Ledger, NoAnswer, type Row, tagsOf, valueIn } from './ledger.js'
import { BOUND_MS, Process, STALE_IF_ERROR_MS } from './process.js'

/** Clocks that disagree: nothing but lifetimes may depend on them. */
const WALL_SKEWS_MS = [0, 400, -300]
/** Longer than any pause, lease or back-off of the engine, in rounds of 100 ms. */
const SETTLING_ROUNDS = 120

/** Everything around three replicas: time, Redis, Postgres, and messages that arrive when the scheduler says so. */
export class World {
  readonly clock = new FakeClock()
  readonly ledger = new Ledger({ clock: this.clock, boundMs: BOUND_MS, staleIfErrorMs: STALE_IF_ERROR_MS })
  readonly database = new ModelDatabase(() => this.clock.now())
  readonly redisKeys = new RedisKeys()
  replicas: Process[]
  /** An old copy of Redis. */
  dump: ReturnType<RedisKeys['save']> | undefined
  /** What a crash of Postgres goes back to. */
  flushed: { readonly id: number; readonly rows: ReadonlyMap<string, string> } = { id: 0, rows: new Map() }
  isDatabaseDown = false
  isRedisDown = false
  readonly mostTags: number
  readonly #scheduler: Scheduler
  readonly #story: (() => string)[] = []
  #isPrompt = true
  #values = 0
  #seed: number

  constructor(scheduler: Scheduler, seed: number) {
    this.#scheduler = scheduler
    this.#seed = seed
    this.mostTags = seed % 4 === 0 ? 5 : 1_000
    this.replicas = WALL_SKEWS_MS.map((skewMs, n) => new Process(this, `replica ${n + 1}`, skewMs))
  }

  /** The minimal standard generator: enough for jitter, and the same in each run. */
  readonly random = (): number => {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    return this.#seed / 2_147_483_647
  }

  nextValue(): string {
    return String(++this.#values)
  }

  /** Resolves when the scheduler lets it arrive; rejects after `limitMs`, if that is a limit. */
  travel(what: string, limitMs: number | undefined): Promise<void> {
    if (this.#isPrompt && limitMs !== 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const cancel =
        limitMs === undefined ? undefined : this.clock.after(limitMs, () => reject(new NoAnswer('timed out')))
      void this.#scheduler.schedule(Promise.resolve(), what).then(() => {
        this.tell(() => `    ${what}`)
        cancel?.()
        resolve()
      })
    })
  }

  tell(words: () => string): void {
    const at = this.clock.now()
    this.#story.push(() => `${String(Math.round(at)).padStart(6)}  ${words()}`)
  }

  story(): string {
    return this.#story.map((line) => line()).join('\n')
  }

  async start(): Promise<void> {
    for (const row of ['a', 'b'] as const) this.change(row)
    for (const replica of this.replicas) void replica.start()
    await this.clock.advance(1)
    this.#isPrompt = false
    this.#story.length = 0
  }

  /** By somebody at a psql prompt. */
  change(row: Row): void {
    this.database.change(tagsOf(row), { [row]: this.nextValue() })
    this.ledger.changed(this.database.rows)
  }

  /** Lets at most `count` messages arrive, in an order that the scheduler chooses. */
  async deliver(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      if (this.#scheduler.count() === 0) await drain()
      if (this.#scheduler.count() === 0) return
      await this.#scheduler.waitNext(1)
    }
    await drain()
  }

  /** Time in which everything arrives. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await this.clock.advance(Math.min(100, left))
      await this.deliver(60)
    }
  }

  /** Lets messages arrive until the request is answered; at most 60, since it may hang. */
  async deliverUntil(answered: Promise<void>): Promise<void> {
    const open = new Set([answered])
    void answered.then(() => open.clear())
    await drain()
    for (let left = 60; left > 0 && open.size > 0 && this.#scheduler.count() > 0; left--) await this.deliver(1)
  }

  restart(at: number): void {
    const old = this.replicas[at]
    if (old === undefined) return
    old.kill()
    this.ledger.forget(old.name)
    const replica = new Process(this, old.name, WALL_SKEWS_MS[at] ?? 0)
    this.replicas[at] = replica
    this.#connect(replica)
    void replica.start()
  }

  setRedisDown(isDown: boolean): void {
    this.isRedisDown = isDown
    for (const { redis } of this.replicas) connect(redis, isDown)
  }

  setDatabaseDown(isDown: boolean): void {
    this.isDatabaseDown = isDown
    for (const { journal } of this.replicas) {
      journal.failure = isDown ? new Error('no database') : undefined
      if (isDown) journal.cut()
    }
  }

  /** Commits since the last flush are gone, and their ids will be given out again. */
  crash(): void {
    this.database.goBackTo(this.flushed.id, this.flushed.rows)
    this.ledger.forget()
    this.ledger.changed(this.database.rows)
    for (const { journal } of this.replicas) journal.cut()
  }

  flush(): void {
    this.flushed = { id: this.database.lastId, rows: new Map(this.database.rows) }
  }

  /** Ends every fault, lets everything arrive, and checks that all requests are answered and no tier holds an old value. */
  async settle(): Promise<void> {
    this.tell(() => 'every fault ends, and everything arrives')
    this.setDatabaseDown(false)
    this.setRedisDown(false)
    for (const { journal, redis } of this.replicas) {
      journal.isDeaf = false
      journal.fault = undefined
      redis.refuses = undefined
    }
    this.#isPrompt = true
    let calmRounds = 0
    for (let round = 0; round < SETTLING_ROUNDS && calmRounds * 100 <= BOUND_MS; round++) {
      this.replicas.forEach((replica, at) => replica.isDead && this.restart(at))
      await this.deliver(Number.MAX_SAFE_INTEGER)
      await this.clock.advance(100)
      const isCalm = this.replicas.every(({ cache, underWay }) => cache?.state === 'coherent' && underWay.size === 0)
      calmRounds = isCalm ? calmRounds + 1 : 0
    }
    const { broken } = this.ledger
    for (const { name, cache, underWay } of this.replicas) {
      broken.push(...[...underWay].map((request) => `never answered: ${request}`))
      if (cache?.state !== 'coherent') broken.push(`${name} is still ${cache?.state ?? 'down'} when all has settled`)
    }
    for (const replica of this.replicas) {
      for (const key of KEYS) {
        const found = replica.cache?.peek<string>(key)
        const value = valueIn(this.database.rows, key)
        if (found !== undefined && found.value !== value)
          broken.push(`${replica.name} still has ${key} = ${found.value}`)
        const [reading] = [replica.read(key)]
        await this.clock.advance(LONGEST_WAIT_MS)
        await reading
      }
    }
  }

  #connect({ journal, redis }: Process): void {
    journal.failure = this.isDatabaseDown ? new Error('no database') : undefined
    connect(redis, this.isRedisDown)
  }
}

/** A lease and a tail. */
const LONGEST_WAIT_MS = 700

function connect(redis: MemoryRedis, isDown: boolean): void {
  if (isDown) redis.disconnect()
  else redis.connect()
}
