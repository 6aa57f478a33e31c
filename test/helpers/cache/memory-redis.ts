import { EventEmitter } from 'node:events'
import type { Clock, RedisClient } from '../../../services/cache/index.js'
import { type Deferred, deferred } from './deferred.js'

interface Stored {
  readonly value: string
  readonly expiresAt: number
}

/** The name by which ioredis tells a server's refusal from a lost connection. */
class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

/** What several clients share: the keys of one server. */
export class RedisKeys {
  keys = new Map<string, Stored>()

  /** A copy to come back to, as from an old dump. */
  save(): Map<string, Stored> {
    return new Map(this.keys)
  }
}

/** A Redis client in this process, with the few commands that the engine uses. A test can hold its replies and break it. */
export class MemoryRedis extends EventEmitter implements RedisClient {
  status = 'ready'
  /** Names of the commands so far, with their keys. */
  readonly commands: string[] = []
  /** What every command rejects with, if anything. */
  failure: Error | undefined
  /** What the server answers to every SET, in its own words, if anything. */
  refuses: string | undefined
  readonly server: RedisKeys
  /** How a command gets to the server, and how its reply gets back: it rejects for what gets lost on the way. */
  travel: (what: string) => Promise<void> = () => Promise.resolve()
  readonly #clock: Clock
  #held: Deferred<void> | undefined
  #lost: RegExp | undefined

  constructor(clock: Clock, server = new RedisKeys()) {
    super()
    this.#clock = clock
    this.server = server
  }

  /** Commands are carried out, but their replies do not come before {@link MemoryRedis.release}. */
  hold(): void {
    this.#held ??= deferred()
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  /** Commands that match are carried out, and time out all the same. */
  loseReplies(commands: RegExp | undefined): void {
    this.#lost = commands
  }

  /** The connection closes; commands reject until {@link MemoryRedis.connect}. */
  disconnect(): void {
    this.status = 'reconnecting'
    this.failure = new Error('Stream isn’t writeable')
    this.emit('close')
  }

  connect(): void {
    this.status = 'ready'
    this.failure = undefined
  }

  get(key: string): Promise<string | null> {
    return this.#run(`GET ${key}`, () => this.#read(key))
  }

  mget(keys: string[]): Promise<(string | null)[]> {
    return this.#run(`MGET ${keys.join(' ')}`, () => keys.map((key) => this.#read(key)))
  }

  set(key: string, value: string, _unit: 'PX', ms: number, condition?: 'NX'): Promise<unknown> {
    return this.#run(`SET ${key}`, () => {
      if (this.refuses !== undefined) throw new ReplyError(this.refuses)
      if (condition === 'NX' && this.#read(key) !== null) return null
      this.server.keys.set(inBytes(key), { value: inBytes(value), expiresAt: this.#clock.now() + ms })
      return 'OK'
    })
  }

  del(key: string): Promise<unknown> {
    return this.#run(`DEL ${key}`, () => Number(this.server.keys.delete(inBytes(key))))
  }

  ping(): Promise<unknown> {
    return this.#run('PING', () => 'PONG')
  }

  async #run<T>(command: string, work: () => T): Promise<T> {
    this.commands.push(command)
    if (this.failure !== undefined) throw this.failure
    await this.travel(command)
    const reply = work()
    await this.#held?.promise
    await this.travel(`reply to ${command}`)
    if (this.#lost?.test(command) === true) throw new Error('Command timed out')
    return reply
  }

  #read(key: string): string | null {
    const stored = this.server.keys.get(inBytes(key))
    return stored === undefined || stored.expiresAt <= this.#clock.now() ? null : stored.value
  }
}

/** As it is once it has been sent. */
function inBytes(text: string): string {
  return Buffer.from(text).toString()
}
