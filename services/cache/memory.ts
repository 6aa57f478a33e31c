import type { Entry } from './entry.js'
import type { Knowledge } from './core/knowledge.js'

export interface MemoryOptions {
  readonly maxItems: number
  readonly maxBytes: number
  readonly knowledge: Knowledge
  /** Runs `work` in a later turn of the event loop. */
  readonly defer: (work: () => void) => void
  /** `isByItems`: the number of entries was the bound that was reached, not their bytes. */
  readonly onCapacity: (full: { readonly isByItems: boolean; readonly bytes: number }) => void
}

/** What an entry holds beside its key, value and tags: objects and places in maps (measured). */
const ENTRY_OVERHEAD_BYTES = 400
/** Entries looked at in one go of {@link Memory.sweep}, well below a millisecond. */
const SWEEP_SLICE = 500

/**
 * The entries of this process, bounded by items and by bytes. Whether an entry is current is asked when it is read; while there
 * is no news that is one comparison.
 *
 * What is used is marked and stays where it is; to make room a hand goes over the entries in the order they came, takes marks
 * back, and lets the first unmarked one go (SIEVE, Zhang et al., NSDI 2024). Of skewed traffic that answers more than a queue of
 * the least recently used. The hand is an iterator of the map: it goes on from where it is, whatever comes and goes meanwhile.
 */
export class Memory {
  readonly #options: MemoryOptions
  #entries = new Map<string, Entry>()
  #hand = this.#entries.values()
  bytes = 0
  evictions = 0
  expirations = 0

  constructor(options: MemoryOptions) {
    this.#options = options
  }

  get items(): number {
    return this.#entries.size
  }

  /** The entry, unless it is not current or its lifetime is over. The caller tells fresh from stale by time. Counts as a use. */
  read(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.judgedAt !== this.#options.knowledge.news && !this.#judge(entry)) return undefined
    if (now >= entry.expiresAt) {
      this.expirations += 1
      this.#remove(entry)
      return undefined
    }
    entry.isVisited = true
    return entry
  }

  /** The entry without any check: no use is recorded and nothing is dropped. */
  peek(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** Makes room first. An entry larger than the whole bound is not kept. The caller has found it current. */
  keep(entry: Entry): void {
    const { maxItems, maxBytes } = this.#options
    const older = this.#entries.get(entry.key)
    if (older !== undefined) this.#remove(older)
    if (entry.bytes > maxBytes || maxItems < 1) return
    while (this.items >= maxItems || this.bytes + entry.bytes > maxBytes) this.#evict(this.items >= maxItems)
    this.#entries.set(entry.key, entry)
    this.bytes += entry.bytes
  }

  /** Frees everything at once: after a clear, or when the identity is another one. */
  clear(): void {
    this.#entries = new Map()
    this.#hand = this.#entries.values()
    this.bytes = 0
  }

  /** Frees entries that a change has made useless, in slices. They can't be read any more; this only gives their memory back. */
  sweep(left = this.#entries.values()): void {
    for (let looked = 0; looked < SWEEP_SLICE; looked++) {
      const { value: entry } = left.next()
      if (entry === undefined) return
      if (this.#entries.get(entry.key) === entry) this.#judge(entry)
    }
    this.#options.defer(() => this.sweep(left))
  }

  #judge(entry: Entry): boolean {
    const { knowledge } = this.#options
    if (!knowledge.isCurrent(entry.provenance, entry.slots)) {
      this.#remove(entry)
      return false
    }
    entry.provenance = knowledge.renewed(entry.provenance)
    entry.judgedAt = knowledge.news
    return true
  }

  #evict(isByItems: boolean): void {
    for (;;) {
      const { value: entry } = this.#hand.next()
      if (entry === undefined) this.#hand = this.#entries.values()
      else if (entry.isVisited) entry.isVisited = false
      else {
        this.#remove(entry)
        this.evictions += 1
        return this.#options.onCapacity({ isByItems, bytes: this.bytes })
      }
    }
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key)
    this.bytes -= entry.bytes
  }
}

/** What an entry counts for in the bound. `valueBytes` is the codec's word. */
export function sizeOf(key: string, tags: readonly string[], valueBytes: number): number {
  return ENTRY_OVERHEAD_BYTES + key.length + valueBytes + tags.reduce((bytes, tag) => bytes + tag.length + 24, 0)
}
