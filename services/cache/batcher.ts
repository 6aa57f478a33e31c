export interface BatcherOptions<Item, Result> {
  /** Answers in the order of its items. */
  readonly send: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly endOfTurn: (work: () => void) => void
  /** The largest batch. */
  readonly most: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers what is asked for in one turn of the event loop, and asks for it together. While no answer is awaited there is nobody
 * to gather, and a batch leaves with the microtasks that asked for it.
 */
export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>
  #waiting: Waiting<Item, Result>[] = []
  #sent = 0

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options
  }

  ask(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const size = this.#waiting.push({ item, resolve, reject })
      if (size === this.#options.most) this.#flush()
      else if (size === 1) (this.#sent === 0 ? queueMicrotask : this.#options.endOfTurn)(this.#flush)
    })
  }

  readonly #flush = (): void => {
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length > 0) void this.#sendOff(batch)
  }

  async #sendOff(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#sent += 1
    try {
      const results = await this.#options.send(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, n) => resolve(results[n] as Result))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    // Whoever got an answer asks for more in a later microtask.
    this.#sent -= 1
  }
}
