/** What waits in one batch, and for whom. */
interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is asked for in one turn of the event loop, and asks for it together. Who is alone waits for nobody else. */
export class Batcher<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #endOfTurn: (work: () => void) => void
  readonly #most: number
  #waiting: Waiting<Item, Result>[] = []

  /** `send` answers in the order of its items; `most` is the largest batch. */
  constructor(options: {
    readonly send: (items: readonly Item[]) => Promise<readonly Result[]>
    readonly endOfTurn: (work: () => void) => void
    readonly most: number
  }) {
    this.#send = options.send
    this.#endOfTurn = options.endOfTurn
    this.#most = options.most
  }

  ask(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#endOfTurn(this.#flush)
      this.#waiting.push({ item, resolve, reject })
      if (this.#waiting.length === this.#most) this.#flush()
    })
  }

  readonly #flush = (): void => {
    const batch = this.#waiting
    if (batch.length === 0) return
    this.#waiting = []
    this.#send(batch.map(({ item }) => item)).then(
      (results) => batch.forEach(({ resolve }, n) => resolve(results[n] as Result)),
      (error: unknown) => batch.forEach(({ reject }) => reject(error)),
    )
  }
}
