/** What a read found of one document: its row's version and the counter it carries, or that it is not there. */
export interface Seen {
  readonly version: number
  readonly counter: string
}

/** A fault of an answer that no delay excuses. */
export type Flaw =
  'mixed: another counter than the one acknowledged under this version' | 'invented: a counter nobody wrote'

const DELETED = Number.POSITIVE_INFINITY

/**
 * What the clients know of one document: which writes were acknowledged, under which version, and when the
 * acknowledgement arrived. Writes of unknown outcome (an error, a time-out, a killed replica) are possible, never acknowledged.
 * The row's version orders them all: PostgreSQL raises it by one at each committed change.
 */
export class DocumentHistory {
  /** Counters by the version they were acknowledged under. */
  readonly acknowledged = new Map<number, string>()
  /** Sent, and either under way or of unknown outcome. */
  readonly #possible = new Set<string>()
  /** Acknowledgements that told of something newer than any before: in order of time and of version. */
  readonly #news: { readonly at: number; readonly version: number }[] = []
  #isDeletionSent = false

  constructor(
    readonly id: string,
    /** When the clients last knew for sure that it had been made. */
    createdAt: number,
    { version, counter }: Seen,
  ) {
    this.acknowledge(createdAt, { version, counter })
  }

  get isDeletionSent(): boolean {
    return this.#isDeletionSent
  }

  get isDeleted(): boolean {
    return this.#news.at(-1)?.version === DELETED
  }

  sent(counter: string): void {
    this.#possible.add(counter)
  }

  deletionSent(): void {
    this.#isDeletionSent = true
  }

  /** The service refused the write for good: it can't have happened. */
  refused(counter: string): void {
    this.#possible.delete(counter)
  }

  acknowledge(at: number, { version, counter }: Seen): void {
    this.#possible.delete(counter)
    this.acknowledged.set(version, counter)
    this.#tell(at, version)
  }

  acknowledgeDeletion(at: number): void {
    this.#tell(at, DELETED)
  }

  /**
   * How long before `begunAt` the oldest acknowledged write was acknowledged that this answer misses, in ms; 0 when it
   * misses none. It is beyond the bound H exactly when this is more than H.
   */
  stalenessMs(seen: Seen | undefined, begunAt: number): number {
    const missed = this.firstMissed(seen)
    return missed === undefined ? 0 : Math.max(0, begunAt - missed.at)
  }

  /** The first acknowledged write that an answer misses, whenever it was. */
  firstMissed(seen: Seen | undefined): { readonly at: number; readonly version: number } | undefined {
    // Once a deletion has been sent, absence may be the newest there is.
    const version = seen?.version ?? (this.#isDeletionSent ? DELETED : 0)
    const last = this.#news.at(-1)
    if (last === undefined || last.version <= version) return undefined
    let [low, high] = [0, this.#news.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#news[middle]?.version ?? 0) > version) high = middle
      else low = middle + 1
    }
    return this.#news[low]
  }

  flaw({ version, counter }: Seen): Flaw | undefined {
    const known = this.acknowledged.get(version)
    if (known !== undefined) {
      return known === counter ? undefined : 'mixed: another counter than the one acknowledged under this version'
    }
    return this.#possible.has(counter) ? undefined : 'invented: a counter nobody wrote'
  }

  #tell(at: number, version: number): void {
    if (version > (this.#news.at(-1)?.version ?? 0)) this.#news.push({ at, version })
  }
}
