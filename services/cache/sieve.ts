/** What a sieve keeps: its place in the queue is part of it, so that a place costs no object of its own. */
export interface Sieved<Entry> {
  readonly key: string
  readonly bytes: number
  /** Where the sieve holds it; its own business. */
  slot: number
  /** Set by a use, taken back by the sieve's hand. */
  isVisited: boolean
  newer: Entry | undefined
  older: Entry | undefined
}

/**
 * Entries by key, bounded by number and by bytes, in the order they came in. Who is used is marked and stays where it is;
 * to make room a hand goes from old to new over them, takes marks back, and lets the first unmarked one go (SIEVE, Zhang
 * et al., NSDI 2024). A use costs one write, and what is asked for once makes way for what is asked for again: of skewed
 * traffic it answers more than a queue of the least recently used does (docs/performance.md).
 *
 * The map holds places instead of entries: the tables that a map outgrows refer to the next one each, and a collection of
 * young objects keeps whatever an old table refers to. Entries that come and go would all grow old.
 */
export class Sieve<Entry extends Sieved<Entry>> {
  readonly #maxItems: number
  readonly #maxBytes: number
  readonly #onEvict: (entry: Entry) => void
  readonly #slots = new Map<string, number>()
  readonly #entries: (Entry | undefined)[] = []
  readonly #free: number[] = []
  #newest: Entry | undefined
  #oldest: Entry | undefined
  #hand: Entry | undefined
  #bytes = 0

  constructor(options: { maxItems: number; maxBytes: number; onEvict: (entry: Entry) => void }) {
    this.#maxItems = options.maxItems
    this.#maxBytes = options.maxBytes
    this.#onEvict = options.onEvict
  }

  get items(): number {
    return this.#slots.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get oldest(): Entry | undefined {
    return this.#oldest
  }

  /** Counts as a use. */
  get(key: string): Entry | undefined {
    const entry = this.peek(key)
    if (entry !== undefined) entry.isVisited = true
    return entry
  }

  /** Does not count as a use. */
  peek(key: string): Entry | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#entries[slot]
  }

  /** The key must be free. Makes room first; `false` when there can never be enough for it. */
  add(entry: Entry): boolean {
    if (entry.bytes > this.#maxBytes) return false
    while (this.items >= this.#maxItems || this.#bytes + entry.bytes > this.#maxBytes) this.#evict()
    entry.slot = this.#free.pop() ?? this.#entries.length
    this.#entries[entry.slot] = entry
    this.#slots.set(entry.key, entry.slot)
    this.#bytes += entry.bytes
    entry.older = this.#newest
    if (this.#newest !== undefined) this.#newest.newer = entry
    this.#newest = entry
    this.#oldest ??= entry
    return true
  }

  /** The entry must be in. */
  remove(entry: Entry): void {
    const { newer, older } = entry
    if (this.#hand === entry) this.#hand = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    entry.newer = undefined
    entry.older = undefined
    this.#slots.delete(entry.key)
    this.#entries[entry.slot] = undefined
    this.#free.push(entry.slot)
    this.#bytes -= entry.bytes
  }

  #evict(): void {
    let entry = this.#hand ?? this.#oldest
    while (entry?.isVisited === true) {
      entry.isVisited = false
      entry = entry.newer ?? this.#oldest
    }
    if (entry === undefined) return
    this.#hand = entry.newer
    this.remove(entry)
    this.#onEvict(entry)
  }
}
