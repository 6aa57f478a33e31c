import type { RedisClient } from './redis-client.js'

interface Batch {
  readonly names: string[]
  readonly places: Map<string, number>
  readonly waiting: {
    readonly places: readonly number[]
    readonly resolve: (values: (string | null)[]) => void
    readonly reject: (error: unknown) => void
  }[]
}

/** Keys per command at most: a longer one would hold up everybody else's. */
const MOST_NAMES = 512

/**
 * The reads of one run of JavaScript in one MGET: one write, one reply and one time limit for all of them, and a tag
 * that several entries share is asked for once. All of it is one moment in Redis, as a read of its own would be.
 */
export class BatchedMget {
  readonly #client: RedisClient
  readonly #run: <T>(command: () => Promise<T>) => Promise<T>
  readonly #endOfRun: (work: () => void) => void
  readonly #batches = new Map<string, Batch>()

  /** `run` is how commands are run (the breaker); without `endOfRun` a batch ends at the next microtask. */
  constructor(options: {
    client: RedisClient
    run: <T>(command: () => Promise<T>) => Promise<T>
    endOfRun: ((work: () => void) => void) | undefined
  }) {
    this.#client = options.client
    this.#run = options.run
    this.#endOfRun = options.endOfRun ?? queueMicrotask
  }

  /** The values of `names`, which all belong to `slot`: what is in different slots can't share a command in a cluster. */
  get(slot: string, names: readonly string[]): Promise<(string | null)[]> {
    const batch = this.#batches.get(slot) ?? this.#open(slot)
    const places = names.map((name) => placeOf(batch, name))
    const values = new Promise<(string | null)[]>((resolve, reject) => batch.waiting.push({ places, resolve, reject }))
    if (batch.names.length >= MOST_NAMES) this.#send(slot, batch)
    return values
  }

  #open(slot: string): Batch {
    const batch: Batch = { names: [], places: new Map(), waiting: [] }
    this.#batches.set(slot, batch)
    this.#endOfRun(() => {
      if (this.#batches.get(slot) === batch) this.#send(slot, batch)
    })
    return batch
  }

  #send(slot: string, { names, waiting }: Batch): void {
    this.#batches.delete(slot)
    this.#run(() => this.#client.mget(names)).then(
      (values) => {
        for (const { places, resolve } of waiting) resolve(places.map((place) => values[place] ?? null))
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error)
      },
    )
  }
}

function placeOf({ names, places }: Batch, name: string): number {
  const known = places.get(name)
  if (known !== undefined) return known
  const place = names.push(name) - 1
  places.set(name, place)
  return place
}
