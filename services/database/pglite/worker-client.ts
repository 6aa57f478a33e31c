import { Worker } from 'node:worker_threads'

/** What the thread is asked. `in`: the transaction that it is of, by the id of its `begin`. */
export type Request =
  | { readonly ask: 'open' }
  | { readonly ask: 'query'; readonly text: string; readonly values: readonly unknown[]; readonly in?: number }
  | { readonly ask: 'script'; readonly text: string; readonly in?: number }
  | { readonly ask: 'begin' }
  | { readonly ask: 'commit' | 'rollback'; readonly in: number }
  | { readonly ask: 'listen'; readonly channel: string }
  | { readonly ask: 'unlisten'; readonly listener: number }
  | { readonly ask: 'close' }

/** To a request, or a notification for the listener that the request with this id began. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  /** Cloning keeps of an error only its class, message and stack. */
  | { readonly id: number; readonly error: unknown; readonly properties: object }
  | { readonly listener: number; readonly payload: string }

/** What statements run on: the database itself, or one of its transactions. */
export interface Runner {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** Several statements, without values. */
  script(text: string): Promise<void>
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * PGlite in a thread of its own: its statements are WebAssembly that runs to its end, and on the event loop nobody would be served
 * meanwhile. Values are copied on their way.
 */
export class PgliteWorker implements Runner {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Map<number, (payload: string) => void>()
  #lastId = 0
  #isOpen = false
  #isEnding = false
  /** Why it has ended. */
  #end: Error | undefined

  /** Opens the database in `folder`, making it if need be. */
  static async open(folder: string): Promise<PgliteWorker> {
    const opened = new PgliteWorker(folder)
    try {
      await opened.#ask({ ask: 'open' })
      opened.#isOpen = true
      return opened
    } catch (error) {
      await opened.#terminate()
      throw error
    }
  }

  private constructor(folder: string) {
    // What the process was told to load first (--import: hooks, an SDK that watches it) is not for this thread, also where NODE_OPTIONS says it.
    const options = { workerData: folder, name: 'pglite', execArgv: [], env: {} }
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), options)
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer) => this.#hear(answer))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new Error('The thread of the embedded database has ended')))
  }

  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#in(undefined).query(text, values)
  }

  script(text: string): Promise<void> {
    return this.#in(undefined).script(text)
  }

  /** Nothing else is done until it has ended. What `work` throws rolls it back, and comes out as it is. */
  async transaction<T>(work: (transaction: Runner) => Promise<T>): Promise<T> {
    const asked = this.#ask({ ask: 'begin' })
    const id = this.#lastId
    await asked
    let result: T
    try {
      result = await work(this.#in(id))
    } catch (error) {
      // What `work` threw says more than a rollback that fails.
      await this.#ask({ ask: 'rollback', in: id }).catch(() => {})
      throw error
    }
    await this.#ask({ ask: 'commit', in: id })
    return result
  }

  /** @returns the function that ends it */
  async listen(channel: string, onNotification: (payload: string) => void): Promise<() => Promise<void>> {
    const asked = this.#ask({ ask: 'listen', channel })
    const listener = this.#lastId
    this.#listeners.set(listener, onNotification)
    await asked
    return async () => {
      this.#listeners.delete(listener)
      await this.#ask({ ask: 'unlisten', listener })
    }
  }

  async close(): Promise<void> {
    try {
      await this.#ask({ ask: 'close' })
    } finally {
      await this.#terminate()
    }
  }

  async #terminate(): Promise<void> {
    this.#isEnding = true
    await this.#worker.terminate()
  }

  #in(transaction: number | undefined): Runner {
    const of = transaction === undefined ? {} : { in: transaction }
    return {
      query: async <Row>(text: string, values: readonly unknown[] = []) =>
        (await this.#ask({ ask: 'query', text, values, ...of })) as Row[],
      script: async (text) => void (await this.#ask({ ask: 'script', text, ...of })),
    }
  }

  #ask(request: Request): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- windows have origins, threads have none
      this.#worker.postMessage({ id, ...request })
      // The process may end while nobody waits for the database.
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(id, { resolve, reject })
    })
  }

  #hear(answer: Answer): void {
    if ('listener' in answer) return this.#listeners.get(answer.listener)?.(answer.payload)
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    // What is answered after the close, as refused, must not let the process go before the thread has ended: somebody waits for that.
    if (this.#waiting.size === 0 && !this.#isEnding) this.#worker.unref()
    if (!('error' in answer)) waiting?.resolve(answer.value)
    else waiting?.reject(answer.error instanceof Error ? Object.assign(answer.error, answer.properties) : answer.error)
  }

  /** Nothing can be asked of it any more. While it is open that is nobody's to catch: the process ends, and is started again. */
  #fail(error: Error): void {
    if (this.#end !== undefined) return
    this.#end = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    if (!this.#isOpen || this.#isEnding) return
    // Those who wait hear of it first.
    setImmediate(() => {
      throw error
    })
  }
}
