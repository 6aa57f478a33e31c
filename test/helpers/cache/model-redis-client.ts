import type { Clock, RedisClient } from '../../../services/cache/index.js'
import type { ModelRedis } from './model-redis.js'
import { MODEL_SCRIPTS, type Reply } from './model-redis-scripts.js'
import { Channel, type Network } from './network.js'

export interface ModelRedisClientOptions {
  readonly server: ModelRedis
  readonly clock: Clock
  readonly network: Network
  /** For labels: `replica 1`. */
  readonly name: string
  readonly timeoutMs: number
  /** Pause before each attempt to connect again; none: only {@link ModelRedisClient.connect} does. */
  readonly reconnectMs?: number
}

interface Command {
  readonly name: string
  settle(reply: Reply | Error): void
}

/** One TCP connection: it may end at one side long before the other notices. */
interface Connection {
  readonly requests: Channel
  readonly replies: Channel
  readonly leave: () => void
  readonly unanswered: Set<Command>
}

/** A client as ioredis is with the service's settings: no offline queue, no resending, a time limit for each command. */
export class ModelRedisClient implements RedisClient {
  status = 'close'
  readonly #options: ModelRedisClientOptions
  readonly #listeners = new Map<string, Set<() => void>>()
  #connection: Connection | undefined
  #isBlackHole = false
  #isGone = false

  constructor(options: ModelRedisClientOptions) {
    this.#options = options
    if (!this.connect()) this.#reconnectLater()
  }

  async mget(keys: string[]): Promise<(string | null)[]> {
    const reply = await this.#send('MGET', keys)
    return Array.isArray(reply) ? reply.map((value) => (typeof value === 'string' ? value : null)) : []
  }

  async get(key: string): Promise<string | null> {
    const reply = await this.#send('GET', [key])
    return typeof reply === 'string' ? reply : null
  }

  async pttl(key: string): Promise<number> {
    return Number(await this.#send('PTTL', [key]))
  }

  async ping(): Promise<string> {
    return String(await this.#send('PING', []))
  }

  eval(text: string, keyCount: number, ...rest: (string | number)[]): Promise<unknown> {
    return this.#send('EVAL', [text, keyCount, ...rest].map(String))
  }

  evalsha(sha: string, keyCount: number, ...rest: (string | number)[]): Promise<unknown> {
    return this.#send('EVALSHA', [sha, keyCount, ...rest].map(String))
  }

  on(event: string, listener: () => void): void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
  }

  off(event: string, listener: () => void): void {
    this.#listeners.get(event)?.delete(listener)
  }

  /** Connects if the server takes connections; returns whether it did. */
  connect(): boolean {
    const { server, network, name } = this.#options
    if (this.#isGone || this.#connection !== undefined || !server.isUp || this.#isBlackHole) return false
    const connection: Connection = {
      requests: new Channel(network, {
        label: `${name} → Redis`,
        isHeld: () => server.isPaused || this.#isBlackHole,
      }),
      replies: new Channel(network, { label: `Redis → ${name}` }),
      leave: server.accept({
        onEnd: () => {
          connection.requests.cut()
          connection.replies.send(
            () => this.#onClosed(connection),
            () => 'the connection closed',
          )
        },
        onResume: () => connection.requests.resume(),
      }),
      unanswered: new Set(),
    }
    this.#connection = connection
    this.status = 'ready'
    this.#emit('ready')
    return true
  }

  /** The link breaks, and the client notices at once; what the server had not received is lost. */
  cut(): void {
    const connection = this.#connection
    if (connection === undefined) return
    connection.requests.cut()
    this.#onClosed(connection)
  }

  /** What this client sends goes nowhere, and it can't connect; with `false` it all arrives at last. */
  blackHole(isBlackHole: boolean): void {
    this.#isBlackHole = isBlackHole
    if (!isBlackHole) this.#connection?.requests.resume()
  }

  /** The process died: what it sent may still arrive, nothing comes back. */
  kill(): void {
    this.#isGone = true
    this.#connection?.leave()
    this.#connection?.replies.cut()
    this.#connection?.unanswered.clear()
  }

  #emit(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener()
  }

  #send(name: string, values: readonly string[]): Promise<Reply> {
    const { clock, timeoutMs, server } = this.#options
    const connection = this.#connection
    if (connection === undefined) return Promise.reject(new Error('Not connected, and no offline queue'))
    return new Promise((resolve, reject) => {
      const command: Command = {
        name,
        settle(reply) {
          cancel()
          connection.unanswered.delete(command)
          if (reply instanceof Error) reject(reply)
          else resolve(reply)
        },
      }
      const cancel = clock.after(timeoutMs, () => command.settle(new Error('Command timed out')))
      connection.unanswered.add(command)
      connection.requests.send(
        () => {
          const reply = outcomeOf(() => server.execute(name, values))
          if (this.#isGone) return
          connection.replies.send(
            () => command.settle(reply),
            () => `${wordsOf(name, values)} answered ${JSON.stringify(reply)}`,
          )
        },
        () => wordsOf(name, values),
      )
    })
  }

  #onClosed(connection: Connection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.status = 'close'
    connection.leave()
    connection.replies.cut()
    for (const command of [...connection.unanswered]) command.settle(new Error('Connection is closed.'))
    this.#emit('close')
    this.#reconnectLater()
  }

  #reconnectLater(): void {
    const { clock, reconnectMs } = this.#options
    if (reconnectMs === undefined) return
    clock.after(reconnectMs, () => {
      if (!this.connect()) this.#reconnectLater()
    })
  }
}

function outcomeOf(run: () => Reply): Reply | Error {
  try {
    return run()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** A command in words: scripts by their name, keys without what they all begin with. */
function wordsOf(name: string, values: readonly string[]): string {
  const script = name === 'EVALSHA' ? MODEL_SCRIPTS.get(values[0] ?? '') : undefined
  const rest = (script === undefined ? values : values.slice(2)).map((value) => value.replace(/^roundhouse:\d+:/, ''))
  return `${script?.name ?? name} ${name === 'EVAL' ? '' : rest.join(' ')}`
}
