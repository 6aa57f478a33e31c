/** Requests per command at most: Redis serves one command while the next is being written, and no command is long. */
const MOST_REQUESTS = 16

/**
 * Requests of one turn of the event loop, whichever connections they came by, gathered into few commands: one write, one
 * reply and one time limit for up to sixteen of them. Those of different slots can't share a command in a cluster.
 */
export class Gathered<Request> {
  readonly #endOfTurn: (work: () => void) => void
  readonly #send: (requests: readonly Request[]) => void
  readonly #open = new Map<string, Request[]>()

  constructor(options: {
    readonly endOfTurn: ((work: () => void) => void) | undefined
    readonly send: (requests: readonly Request[]) => void
  }) {
    this.#endOfTurn = options.endOfTurn ?? queueMicrotask
    this.#send = options.send
  }

  add(slot: string, request: Request): void {
    const gathered = this.#open.get(slot)
    if (gathered === undefined) {
      const opened = [request]
      this.#open.set(slot, opened)
      this.#endOfTurn(() => this.#close(slot, opened))
      return
    }
    if (gathered.push(request) === MOST_REQUESTS) this.#close(slot, gathered)
  }

  #close(slot: string, requests: readonly Request[]): void {
    if (this.#open.get(slot) !== requests) return
    this.#open.delete(slot)
    this.#send(requests)
  }
}
