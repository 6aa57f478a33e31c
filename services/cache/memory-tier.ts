import { LRUCache } from 'lru-cache'
import type { RunClock } from './clock.js'
import { longestCopy } from './compressed-copy.js'
import { MemoryEntry, type MemoryFill } from './memory-entry.js'
import type { TagRegistry, TagState } from './tags.js'

export interface MemoryTierOptions {
  readonly maxItems: number
  readonly maxBytes: number
  readonly tags: TagRegistry<MemoryEntry>
  readonly clock: RunClock
  /** Runs the rest of a long drop later, so that no drop holds the event loop. */
  readonly defer: (work: () => void) => void
  readonly onCapacity: () => void
}

/** Entries freed in one go, well below a millisecond; the rest follow in later turns (they can't be read meanwhile). */
const DROP_SLICE = 100

/** What an entry holds beside its key and text: objects, two links, the places in the maps (measured, rounded up). */
const ENTRY_OVERHEAD_BYTES = 400

/**
 * The entries of this process, bounded by items and by bytes (least recently used go first).
 * An entry is behind, and never returned, once a higher version of one of its tags has been heard of.
 */
export class MemoryTier {
  readonly #entries: LRUCache<string, MemoryEntry>
  readonly #tags: TagRegistry<MemoryEntry>
  readonly #clock: RunClock
  readonly #defer: (work: () => void) => void
  evictions = 0
  expirations = 0

  constructor(options: MemoryTierOptions) {
    this.#tags = options.tags
    this.#clock = options.clock
    this.#defer = options.defer
    this.#entries = new LRUCache<string, MemoryEntry>({
      max: options.maxItems,
      maxSize: options.maxBytes,
      dispose: (entry, _key, reason) => {
        this.#unlink(entry)
        if (reason !== 'evict') return
        this.evictions += 1
        options.onCapacity()
      },
    })
  }

  get items(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#entries.calculatedSize
  }

  /** The entry unless it is behind or its lifetime is over; fresh or stale by time is the caller's to tell. */
  read(key: string, now: number): MemoryEntry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.validAt !== this.#tags.news) {
      if (this.isBehind(entry)) {
        this.#entries.delete(key)
        return undefined
      }
      entry.validAt = this.#tags.news
    }
    if (now >= entry.expiresAt) {
      this.expirations += 1
      this.#entries.delete(key)
      return undefined
    }
    return entry
  }

  /** The entry as it lies there, for inspection: no use is recorded and nothing is dropped. */
  peek(key: string): MemoryEntry | undefined {
    return this.#entries.peek(key)
  }

  isBehind(entry: MemoryEntry): boolean {
    if (entry.clearVersion !== this.#tags.clearVersion) return true
    for (const link of entry.links) if (link.version < link.state.heard) return true
    return false
  }

  /** Keeps an entry, unless one of its tags has moved on meanwhile. Returns whether it was kept. */
  keep(fill: MemoryFill): boolean {
    const entry = new MemoryEntry(fill, this.#clock)
    if (this.isBehind(entry)) return false
    // Linked first: what makes way for this entry must not let go of a tag that this one depends on.
    this.#link(entry)
    this.#entries.set(fill.key, entry, { size: sizeOf(fill) })
    if (this.#entries.peek(fill.key) === entry) return true
    this.#unlink(entry)
    return false
  }

  /** Frees what a raised tag has put behind. They are unreadable already; a large tag is freed over several turns. */
  dropBehind(state: TagState<MemoryEntry>): void {
    let link = state.head
    for (let dropped = 0; link !== undefined; link = link.next) {
      if (link.version >= state.heard) continue
      if (dropped === DROP_SLICE) {
        this.#defer(() => this.dropBehind(state))
        return
      }
      dropped += 1
      this.#entries.delete(link.entry.key)
    }
  }

  /** Frees what a clear has put behind, oldest use first; a large tier is freed over several turns. */
  dropCleared(): void {
    const cleared: string[] = []
    for (const key of this.#entries.rkeys()) {
      const isCleared = this.#entries.peek(key)?.clearVersion !== this.#tags.clearVersion
      if (cleared.length === DROP_SLICE || !isCleared) break
      cleared.push(key)
    }
    for (const key of cleared) this.#entries.delete(key)
    if (cleared.length === DROP_SLICE) this.#defer(() => this.dropCleared())
  }

  #link(entry: MemoryEntry): void {
    for (const link of entry.links) {
      link.next = link.state.head
      if (link.next !== undefined) link.next.previous = link
      link.state.head = link
    }
  }

  #unlink(entry: MemoryEntry): void {
    for (const link of entry.links) {
      if (link.previous !== undefined) link.previous.next = link.next
      else if (link.state.head === link) link.state.head = link.next
      if (link.next !== undefined) link.next.previous = link.previous
      this.#tags.release(link.state)
    }
  }
}

/**
 * A large document counts half as much again from the start: its compressed copy comes later and at a size that nobody
 * knows yet, and the bound must hold all the same.
 */
function sizeOf({ key, document }: MemoryFill): number {
  const bytes = document === undefined ? 0 : Buffer.byteLength(document.json)
  const reserved = document?.isLarge === true ? longestCopy(bytes) : 0
  return ENTRY_OVERHEAD_BYTES + key.length + bytes + reserved
}
