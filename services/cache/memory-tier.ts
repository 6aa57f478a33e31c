import type { RunClock } from './clock.js'
import { longestCopy } from './compressed-copy.js'
import type { RaisedTag } from './entry.js'
import { MemoryEntry, type MemoryFill } from './memory-entry.js'
import { Sieve } from './sieve.js'
import type { TagLink, TagRegistry, TagState } from './tags.js'

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

/** What an entry holds beside its key and text: objects, two links, the places in the maps (measured). */
const ENTRY_OVERHEAD_BYTES = 400

/**
 * The entries of this process, bounded by items and by bytes: what is asked for again stays (see {@link Sieve}).
 * An entry is behind, and never returned, once a higher version of one of its tags has been heard of. Nearly every document
 * has a tag that nothing else depends on and that is its key: it is not linked with that, which would take a sixth of its
 * memory, but found by it and dropped at once.
 */
export class MemoryTier {
  readonly #entries: Sieve<MemoryEntry>
  readonly #tags: TagRegistry<MemoryEntry>
  readonly #clock: RunClock
  readonly #defer: (work: () => void) => void
  evictions = 0
  expirations = 0

  constructor(options: MemoryTierOptions) {
    this.#tags = options.tags
    this.#clock = options.clock
    this.#defer = options.defer
    this.#entries = new Sieve<MemoryEntry>({
      maxItems: options.maxItems,
      maxBytes: options.maxBytes,
      onEvict: (entry) => {
        this.#unlink(entry)
        this.evictions += 1
        options.onCapacity()
      },
    })
  }

  get items(): number {
    return this.#entries.items
  }

  get bytes(): number {
    return this.#entries.bytes
  }

  /** The entry unless it is behind or its lifetime is over; fresh or stale by time is the caller's to tell. */
  read(key: string, now: number): MemoryEntry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.validAt !== this.#tags.news) {
      if (this.isBehind(entry)) {
        this.#drop(entry)
        return undefined
      }
      entry.validAt = this.#tags.news
    }
    if (now >= entry.expiresAt) {
      this.expirations += 1
      this.#drop(entry)
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
    for (let link = entry.link; link !== undefined; link = link.sibling) {
      if (link.version < link.state.heard) return true
    }
    return false
  }

  /** Keeps an entry, unless one of its tags has moved on meanwhile. Returns whether it was kept. */
  keep(fill: MemoryFill): boolean {
    if (this.#isTooLate(fill)) return false
    const entry = new MemoryEntry(fill, sizeOf(fill), this.#clock)
    // Linked first: what makes way for this entry must not let go of a tag that this one depends on.
    this.#link(entry)
    const older = this.#entries.peek(fill.key)
    if (older !== undefined) this.#drop(older)
    if (this.#entries.add(entry)) return true
    this.#unlink(entry)
    return false
  }

  /**
   * Must follow every news of a tag, before anything is read: drops the entry that the tag names, and frees what else it has
   * put behind. That is unreadable already; a large tag is freed over several turns.
   */
  dropBehind({ tag, version }: RaisedTag): void {
    // By the version that was raised: of a tag that is linked with nothing, what was heard may be forgotten already.
    const named = this.#entries.peek(tag)
    if (named?.ownVersion !== undefined && named.ownVersion < version) this.#drop(named)
    this.#dropLinked(this.#tags.state(tag))
  }

  #dropLinked(state: TagState<MemoryEntry>): void {
    let next: TagLink<MemoryEntry> | undefined
    let dropped = 0
    for (let link = state.head; link !== undefined; link = next) {
      next = link.next
      if (link.version >= state.heard) continue
      if (dropped === DROP_SLICE) {
        this.#defer(() => this.#dropLinked(state))
        return
      }
      dropped += 1
      this.#drop(link.entry)
    }
  }

  /** Frees what a clear has put behind, oldest first; a large tier is freed over several turns. */
  dropCleared(): void {
    for (let dropped = 0; dropped < DROP_SLICE; dropped++) {
      const { oldest } = this.#entries
      if (oldest === undefined || oldest.clearVersion === this.#tags.clearVersion) return
      this.#drop(oldest)
    }
    this.#defer(() => this.dropCleared())
  }

  #isTooLate({ clearVersion, states, versions }: MemoryFill): boolean {
    return clearVersion !== this.#tags.clearVersion || states.some(({ heard }, n) => (versions[n] ?? -1) < heard)
  }

  #drop(entry: MemoryEntry): void {
    this.#entries.remove(entry)
    this.#unlink(entry)
  }

  #link(entry: MemoryEntry): void {
    for (let link = entry.link; link !== undefined; link = link.sibling) {
      link.next = link.state.head
      if (link.next !== undefined) link.next.previous = link
      link.state.head = link
    }
  }

  #unlink(entry: MemoryEntry): void {
    for (let link = entry.link; link !== undefined; link = link.sibling) {
      if (link.previous !== undefined) link.previous.next = link.next
      else if (link.state.head === link) link.state.head = link.next
      if (link.next !== undefined) link.next.previous = link.previous
      // What is gone, but not collected yet, would have its neighbours outlive the next collection too, and those theirs.
      link.previous = undefined
      link.next = undefined
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
