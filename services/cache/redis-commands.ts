import type { Breaker } from './breaker.js'
import type { RedisClient } from './redis-client.js'
import type { Script } from './redis-scripts.js'

/** How commands reach Redis: none while the breaker is open, and every failure is counted. */
export class RedisCommands {
  readonly #client: RedisClient
  readonly #breaker: Breaker
  readonly #onError: () => void

  constructor(options: { readonly client: RedisClient; readonly breaker: Breaker; readonly onError: () => void }) {
    this.#client = options.client
    this.#breaker = options.breaker
    this.#onError = options.onError
  }

  get(key: string): Promise<string | null> {
    return this.#run(() => this.#client.get(key))
  }

  mget(keys: string[]): Promise<(string | null)[]> {
    return this.#run(() => this.#client.mget(keys))
  }

  /** By its digest; with its text when the server does not know it (yet, or since a restart). */
  script(script: Script, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const client = this.#client
    return this.#run(() =>
      client.evalsha(script.sha, keys.length, ...keys, ...values).catch((error: unknown) => {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return client.eval(script.text, keys.length, ...keys, ...values)
      }),
    )
  }

  async #run<T>(command: () => Promise<T>): Promise<T> {
    if (this.#breaker.isOpen) throw new Error('Redis is out of use after repeated failures')
    try {
      const reply = await command()
      this.#breaker.succeeded()
      return reply
    } catch (error) {
      this.#onError()
      this.#breaker.failed(error instanceof Error ? error.message : String(error))
      throw error
    }
  }
}
