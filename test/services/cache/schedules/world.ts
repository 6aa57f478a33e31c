import type { Scheduler } from 'fast-check'
import { decodeEntry } from '../../../../services/cache/codec.js'
import type { RaisedTag } from '../../../../services/cache/index.js'
import { drain, FakeClock } from '../../../helpers/cache/fake-clock.js'
import { ModelJournal } from '../../../helpers/cache/model-journal.js'
import { ModelRedis, type Snapshot } from '../../../helpers/cache/model-redis.js'
import type { Network } from '../../../helpers/cache/network.js'
import { KEYS, Ledger, TAGS, type Values, valueOf } from './ledger.js'
import { addressOf, BOUND_MS, Process, STALE_IF_ERROR_MS } from './process.js'

/** Clocks that disagree: nothing but lifetimes may depend on them. */
const WALL_SKEWS_MS = [0, 400, -300]
const REDIS_WALL_SKEW_MS = 1_234
/** Longer than any pause, lease or back-off of the engine, in rounds of 100 ms. */
const SETTLING_ROUNDS = 120

/** Everything around three replicas: time, Redis, Postgres, and a network whose messages arrive when the scheduler says so. */
export class World {
  readonly clock = new FakeClock()
  readonly ledger = new Ledger({ clock: this.clock, boundMs: BOUND_MS, staleIfErrorMs: STALE_IF_ERROR_MS })
  readonly journal = new ModelJournal({ clock: this.clock, onCommit: (raised) => this.#committed(raised) })
  readonly redis = new ModelRedis({
    clock: this.clock,
    wallSkewMs: REDIS_WALL_SKEW_MS,
    onRaise: (key, version) => this.ledger.raisedInRedis(tagOfKey(key), version),
  })
  replicas: Process[]
  copy: { readonly keys: Snapshot; readonly floor: Values } | undefined
  /** What was committed, oldest first: for duplicates that come late. */
  readonly notified: (readonly RaisedTag[])[] = []
  /** Half of the worlds read with a look before each begin, half begin at once. */
  readonly expectsMisses: boolean
  readonly #scheduler: Scheduler
  readonly #story: (() => string)[] = []
  #isPrompt = true
  /** How many have arrived. */
  messages = 0
  #ids = 0
  #seed: number

  constructor(scheduler: Scheduler, seed: number) {
    this.#scheduler = scheduler
    this.#seed = seed
    this.expectsMisses = seed % 2 === 0
    this.replicas = WALL_SKEWS_MS.map((skewMs, n) => new Process(this, `replica ${n + 1}`, skewMs))
  }

  readonly network: Network = {
    post: (label, arrive) => {
      if (this.#isPrompt) queueMicrotask(arrive)
      else void this.#scheduler.schedule(Promise.resolve(), label).then(arrive)
    },
  }

  readonly randomId = (): string => `i${++this.#ids}`

  /** The minimal standard generator: enough for jitter, and the same in each run. */
  readonly random = (): number => {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    return this.#seed / 2_147_483_647
  }

  tell(words: () => string): void {
    const at = this.clock.now()
    this.#story.push(() => `${String(Math.round(at)).padStart(6)}  ${words()}`)
  }

  story(): string {
    return this.#story.map((line) => line()).join('\n')
  }

  async start(): Promise<void> {
    for (const replica of this.replicas) void replica.start()
    await this.clock.advance(0)
    await drain()
    this.#isPrompt = false
    this.#story.length = 0
  }

  /** Lets at most `count` messages arrive, in an order that the scheduler chooses. */
  async deliver(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      if (this.#scheduler.count() === 0) await drain()
      if (this.#scheduler.count() === 0) return
      await this.#scheduler.waitNext(1)
      this.messages += 1
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
    const replica = new Process(this, old.name, WALL_SKEWS_MS[at] ?? 0)
    this.replicas[at] = replica
    this.tell(() => `${old.name} is started anew`)
    void replica.start()
  }

  /** Ends every fault, lets everything arrive, and checks that all requests are answered and no tier holds an old value. */
  async settle(): Promise<void> {
    this.tell(() => 'every fault ends, and everything arrives')
    if (this.journal.isDown) this.journal.start()
    if (!this.redis.isUp) this.redis.start()
    this.redis.resume()
    for (const replica of this.replicas) {
      replica.resume()
      replica.holdUp(undefined)
      replica.redis.blackHole(false)
    }
    this.#isPrompt = true
    let calmRounds = 0
    for (let round = 0; round < SETTLING_ROUNDS && calmRounds * 100 <= BOUND_MS; round++) {
      this.replicas.forEach((replica, at) => replica.isDead && this.restart(at))
      await this.deliver(Number.MAX_SAFE_INTEGER)
      await this.clock.advance(100)
      calmRounds = this.#isCalm() ? calmRounds + 1 : 0
    }
    const { broken } = this.ledger
    for (const { name, cache, underWay } of this.replicas) {
      broken.push(...[...underWay].map((request) => `never answered: ${request}`))
      if (cache?.state !== 'coherent')
        broken.push(`${name} is still ${cache?.state ?? 'down'} after everything has settled`)
    }
    await this.#checkTiers()
  }

  #committed(raised: readonly RaisedTag[]): void {
    this.notified.push(raised)
    this.ledger.committed(raised)
  }

  #isCalm(): boolean {
    return this.replicas.every(({ cache, underWay }) => cache?.state === 'coherent' && underWay.size === 0)
  }

  async #checkTiers(): Promise<void> {
    const { values, broken } = this.ledger
    for (const key of KEYS) {
      for (const { name, cache } of this.replicas) {
        const lookup = cache?.peek(addressOf(key))
        if (lookup !== undefined && valueOf(lookup) !== values[key]) {
          broken.push(`the memory of ${name} still has ${key} = ${valueOf(lookup)}, not ${values[key]}`)
        }
      }
    }
    for (const name of this.redis.keys()) {
      const key = KEYS.find((one) => name.endsWith(`:entry:u/${one}`))
      const stored = key && decodeEntry(this.redis.get(name) ?? '')
      if (key === undefined || stored === undefined) continue
      const isCurrentPrefix = name.includes(`:${this.journal.versionOf('*')}:{u}`)
      const isValid = TAGS[key].every((tag, n) => this.redis.get(tagKeyBeside(name, tag)) === stored.stamps[n])
      const value = stored.document?.parse<number>() ?? 0
      if (isValid && isCurrentPrefix && value !== values[key]) {
        broken.push(`Redis still has ${key} = ${value}, not ${values[key]}`)
      }
    }
  }
}

function tagOfKey(key: string): string {
  return key.slice(key.indexOf(':tag:') + ':tag:'.length)
}

/** `<prefix>:<clear version>:{u}:entry:…` → `<prefix>:{u}:tag:<tag>` */
function tagKeyBeside(entryKey: string, tag: string): string {
  return `${entryKey.replace(/:\d+:\{u\}.*$/, '')}:{u}:tag:${tag}`
}
