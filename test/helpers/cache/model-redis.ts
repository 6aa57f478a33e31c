import { createHash } from 'node:crypto'
import type { Clock } from '../../../services/cache/index.js'
import { type Keyspace, MODEL_SCRIPTS, type Reply } from './model-redis-scripts.js'

interface Held {
  readonly value: string
  expiresAt: number
}

/** All keys at one moment, as an RDB file has them: lifetimes end at the same wall-clock moment after a restore. */
export type Snapshot = ReadonlyMap<string, Readonly<Held>>

export interface ModelRedisOptions {
  readonly clock: Clock
  /** The server's wall clock is its own. */
  readonly wallSkewMs?: number
  /** Told of each tag that RAISE made, or found to be, at least `version`. */
  readonly onRaise?: (tagKey: string, version: number) => void
}

/** A Redis server with the few commands the engine uses, the engine's scripts, and faults. Single-threaded, as the real one. */
export class ModelRedis implements Keyspace {
  readonly #options: ModelRedisOptions
  #held = new Map<string, Held>()
  readonly #loaded = new Set<string>()
  readonly #listeners = new Set<{ onEnd(): void; onResume(): void }>()
  #isPaused = false
  #isUp = true

  constructor(options: ModelRedisOptions) {
    this.#options = options
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** A connection: `onEnd` when the server ends it, `onResume` when a stopped server goes on. */
  accept(connection: { onEnd(): void; onResume(): void }): () => void {
    this.#listeners.add(connection)
    return () => void this.#listeners.delete(connection)
  }

  /** Runs one command; throws what Redis would answer with an error. */
  execute(command: string, values: readonly string[]): Reply {
    if (command === 'PING') return 'PONG'
    if (command === 'GET') return this.get(values[0] ?? '')
    if (command === 'MGET') return values.map((key) => this.get(key))
    if (command === 'PTTL') return this.leftMs(values[0] ?? '')
    const isBySha = command === 'EVALSHA'
    const sha = isBySha
      ? (values[0] ?? '')
      : createHash('sha1')
          .update(values[0] ?? '')
          .digest('hex')
    if (isBySha && !this.#loaded.has(sha)) throw new Error('NOSCRIPT No matching script. Please use EVAL.')
    const model = MODEL_SCRIPTS.get(sha)
    if (model === undefined) throw new Error(`ERR the model knows no ${command} like this`)
    this.#loaded.add(sha)
    const keyCount = Number(values[1])
    const [keys, rest] = [values.slice(2, 2 + keyCount), values.slice(2 + keyCount)]
    const reply = model.run(this, keys, rest)
    if (model.name === 'RAISE') keys.forEach((key, at) => this.#options.onRaise?.(key, Number(rest[2 + at])))
    return reply
  }

  get(key: string): string | null {
    return this.#alive(key)?.value ?? null
  }

  set(key: string, value: string, lifetimeMs: number): void {
    this.#held.set(key, { value, expiresAt: this.timeMs() + lifetimeMs })
  }

  delete(key: string): void {
    this.#held.delete(key)
  }

  expire(key: string, lifetimeMs: number): void {
    const held = this.#alive(key)
    if (held !== undefined) held.expiresAt = this.timeMs() + lifetimeMs
  }

  leftMs(key: string): number {
    const held = this.#alive(key)
    return held === undefined ? -2 : held.expiresAt - this.timeMs()
  }

  timeMs(): number {
    return Math.floor(this.#options.clock.wallMs() + (this.#options.wallSkewMs ?? 0))
  }

  /** The keys of this moment, in the order they were first set. */
  keys(): string[] {
    return [...this.#held.keys()].filter((key) => this.#alive(key) !== undefined)
  }

  /** FLUSHALL: connections and loaded scripts stay. */
  wipe(): void {
    this.#held.clear()
  }

  snapshot(): Snapshot {
    return new Map([...this.#held].map(([key, held]) => [key, { ...held }]))
  }

  /** Ends every connection and forgets the scripts; takes no connections until {@link ModelRedis.start}. */
  stop(): void {
    this.#isUp = false
    this.#isPaused = false
    this.#loaded.clear()
    for (const { onEnd } of [...this.#listeners]) onEnd()
    this.#listeners.clear()
  }

  /** Comes up with what an older snapshot has, or with what it went down with. */
  start(snapshot: Snapshot = this.#held): void {
    this.#held = new Map([...snapshot].map(([key, held]) => [key, { ...held }]))
    this.#isUp = true
  }

  /** SIGSTOP: connections stay open, commands pile up. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    for (const { onResume } of [...this.#listeners]) onResume()
  }

  #alive(key: string): Held | undefined {
    const held = this.#held.get(key)
    if (held === undefined || this.timeMs() <= held.expiresAt) return held
    this.#held.delete(key)
    return undefined
  }
}
