import { Durations } from '../cache/index.js'

/** The answers of one route. */
export class RouteCounts {
  readonly #statuses = new Map<number, number>()
  readonly #durations: Durations | undefined

  constructor(
    readonly method: string,
    readonly route: string,
    { isTimed }: { readonly isTimed: boolean },
  ) {
    this.#durations = isTimed ? new Durations() : undefined
  }

  /** Runs after each answer: a map and an array are all that it may cost. */
  record(status: number, milliseconds: number): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1)
    this.#durations?.record(milliseconds)
  }

  get isEmpty(): boolean {
    return this.#statuses.size === 0
  }

  toJSON() {
    const { method, route } = this
    return { method, route, statuses: Object.fromEntries(this.#statuses), durations: this.#durations ?? null }
  }
}

/** What a request is counted under that no route has. */
const NO_ROUTE = 'none'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** The answers of this replica, by route. There are as many as routes, whatever is asked for. */
export class RequestCounts {
  readonly #isTimed: boolean
  readonly #routes: RouteCounts[] = []
  readonly #unrouted = new Map<string, RouteCounts>()

  constructor(options: { readonly isTimed: boolean }) {
    this.#isTimed = options.isTimed
  }

  of(method: string, route: string): RouteCounts {
    const counts = new RouteCounts(method, route, { isTimed: this.#isTimed })
    this.#routes.push(counts)
    return counts
  }

  /** An answer to what no route has. */
  unrouted(given: string, status: number, milliseconds: number): void {
    const method = METHODS.includes(given) ? given : 'other'
    let counts = this.#unrouted.get(method)
    if (counts === undefined) this.#unrouted.set(method, (counts = this.of(method, NO_ROUTE)))
    counts.record(status, milliseconds)
  }

  /** The section `http` of a replica's report. */
  toJSON() {
    return { routes: this.#routes.filter(({ isEmpty }) => !isEmpty) }
  }
}
