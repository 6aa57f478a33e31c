import type { Redis } from 'ioredis'
import { ALL_SCRIPTS, BEGIN, FILL, RAISE, RELEASE, VOUCH } from '../../../services/cache/redis-scripts.js'
import type { RedisClient } from '../../../services/cache/index.js'
import { deferred } from './deferred.js'

export type RedisCommand = 'MGET' | 'GET' | 'PING' | 'RAISE' | 'BEGIN' | 'FILL' | 'RELEASE' | 'VOUCH'

const SCRIPT_NAMES = new Map<string, RedisCommand>([
  [RAISE.sha, 'RAISE'],
  [BEGIN.sha, 'BEGIN'],
  [FILL.sha, 'FILL'],
  [RELEASE.sha, 'RELEASE'],
  [VOUCH.sha, 'VOUCH'],
])

/** One command that is held back. */
export interface HeldCommand {
  /** Resolves once the engine has sent the command (and, for a held reply, Redis has run it). */
  readonly caught: Promise<void>
  release(): void
  /** The engine's time limit is over: it hears an error. The command reaches Redis all the same when released. */
  timeOut(): void
}

interface Hold {
  readonly command: RedisCommand
  readonly at: 'request' | 'reply'
  readonly caught: ReturnType<typeof deferred<void>>
  readonly released: ReturnType<typeof deferred<void>>
  readonly timedOut: ReturnType<typeof deferred<void>>
}

/** A real client on a real server, which can hold back or refuse single commands. Counts what it sends. */
export class HeldRedis implements RedisClient {
  readonly sent = new Map<RedisCommand, number>()
  readonly #client: Redis
  readonly #holds: Hold[] = []
  readonly #refused = new Map<RedisCommand, number>()

  constructor(client: Redis) {
    this.#client = client
  }

  get status(): string {
    return this.#client.status
  }

  /** Loads the scripts, so that no command comes twice for NOSCRIPT's sake. */
  async prepare(): Promise<void> {
    for (const { text } of ALL_SCRIPTS) await this.#client.script('LOAD', text)
  }

  /** Holds the next such command on its way to Redis. */
  holdRequest(command: RedisCommand): HeldCommand {
    return this.#hold(command, 'request')
  }

  /** Holds the reply to the next such command: Redis has run it. */
  holdReply(command: RedisCommand): HeldCommand {
    return this.#hold(command, 'reply')
  }

  /** The next `times` such commands fail, and Redis never gets them. */
  refuse(command: RedisCommand, times = 1): void {
    this.#refused.set(command, times)
  }

  count(command: RedisCommand): number {
    return this.sent.get(command) ?? 0
  }

  mget(keys: string[]): Promise<(string | null)[]> {
    return this.#pass('MGET', () => this.#client.mget(keys))
  }

  get(key: string): Promise<string | null> {
    return this.#pass('GET', () => this.#client.get(key))
  }

  pttl(key: string): Promise<number> {
    return this.#client.pttl(key)
  }

  ping(): Promise<string> {
    return this.#pass('PING', () => this.#client.ping())
  }

  eval(text: string, keyCount: number, ...rest: (string | number)[]): Promise<unknown> {
    return this.#client.eval(text, keyCount, ...rest)
  }

  evalsha(sha: string, keyCount: number, ...rest: (string | number)[]): Promise<unknown> {
    return this.#pass(SCRIPT_NAMES.get(sha) ?? 'PING', () => this.#client.evalsha(sha, keyCount, ...rest))
  }

  on(event: Parameters<RedisClient['on']>[0], listener: () => void): void {
    this.#client.on(event, listener)
  }

  off(event: Parameters<RedisClient['off']>[0], listener: () => void): void {
    this.#client.off(event, listener)
  }

  #hold(command: RedisCommand, at: Hold['at']): HeldCommand {
    const hold: Hold = { command, at, caught: deferred(), released: deferred(), timedOut: deferred() }
    this.#holds.push(hold)
    return {
      caught: hold.caught.promise,
      release: () => hold.released.resolve(),
      timeOut: () => hold.timedOut.resolve(),
    }
  }

  async #pass<T>(command: RedisCommand, run: () => Promise<T>): Promise<T> {
    this.sent.set(command, this.count(command) + 1)
    const refusals = this.#refused.get(command) ?? 0
    if (refusals > 0) {
      this.#refused.set(command, refusals - 1)
      throw new Error(`${command} was refused`)
    }
    const at = this.#holds.findIndex((hold) => hold.command === command)
    const hold = this.#holds[at]
    if (hold === undefined) return run()
    this.#holds.splice(at, 1)
    const reply = this.#through(hold, run)
    reply.catch(() => undefined)
    const timeOut = hold.timedOut.promise.then(() => Promise.reject(new Error('Command timed out')))
    return Promise.race([reply, timeOut])
  }

  async #through<T>(hold: Hold, run: () => Promise<T>): Promise<T> {
    if (hold.at === 'request') {
      hold.caught.resolve()
      await hold.released.promise
      return run()
    }
    const reply = await run()
    hold.caught.resolve()
    await hold.released.promise
    return reply
  }
}
