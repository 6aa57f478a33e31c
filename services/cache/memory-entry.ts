import type { RunClock } from './clock.js'
import type { Document, Lookup } from './entry.js'
import type { Sieved } from './sieve.js'
import type { DomainCounts } from './stats.js'
import type { TagLink, TagState } from './tags.js'

/** What a fill or a promotion hands over: the entry and the versions of the stamps it was read under. */
export interface MemoryFill {
  readonly key: string
  readonly document: Document | undefined
  readonly loadedAt: number
  readonly freshUntil: number
  readonly expiresAt: number
  readonly clearVersion: number
  /** The tags it depends on, and the version of each that it was read under. */
  readonly states: readonly TagState<MemoryEntry>[]
  readonly versions: readonly number[]
  /** Where hits of the entry are counted. */
  readonly counts: DomainCounts
}

/**
 * An entry of the memory tier. It is itself the lookup that a hit answers with, so that a hit makes no object, and its own
 * place among the others. Times are whole milliseconds, rounded down: other numbers would be objects.
 */
export class MemoryEntry implements Lookup, Sieved<MemoryEntry> {
  readonly key: string
  /** `undefined`: a negative entry. */
  readonly document: Document | undefined
  /** Monotonic ms at which the load began. */
  readonly loadedAt: number
  readonly freshUntil: number
  readonly expiresAt: number
  readonly clearVersion: number
  readonly counts: DomainCounts
  /** What the registry's `news` was when the entry was last found valid: a hit then compares nothing else. */
  validAt = -1
  /** Of the tag that the entry is named by, if it has one, the version it was read under: {@link MemoryTier.dropBehind}. */
  readonly ownVersion: number | undefined
  /** The first of its other tags, which leads to the next. */
  readonly link: TagLink<MemoryEntry> | undefined
  /** What it counts for in the tier's bound. */
  readonly bytes: number
  slot = -1
  isVisited = false
  newer: MemoryEntry | undefined
  older: MemoryEntry | undefined
  readonly #clock: RunClock
  #promise: Promise<Lookup> | undefined

  constructor(fill: MemoryFill, bytes: number, clock: RunClock) {
    this.key = fill.key
    this.document = fill.document
    this.loadedAt = Math.floor(fill.loadedAt)
    this.freshUntil = Math.floor(fill.freshUntil)
    this.expiresAt = Math.floor(fill.expiresAt)
    this.clearVersion = fill.clearVersion
    this.counts = fill.counts
    this.#clock = clock
    this.bytes = bytes
    let ownVersion: number | undefined
    let link: TagLink<MemoryEntry> | undefined
    for (let n = fill.states.length - 1; n >= 0; n--) {
      const state = fill.states[n]
      const version = fill.versions[n] ?? -1
      if (state === undefined) continue
      if (state.tag === fill.key) ownVersion = version
      else link = { state, version, entry: this, sibling: link, previous: undefined, next: undefined }
    }
    this.ownVersion = ownVersion
    this.link = link
  }

  /** The entry as an answer that is to be awaited; made once, since every hit has the same. */
  get promise(): Promise<Lookup> {
    this.#promise ??= Promise.resolve(this)
    return this.#promise
  }

  get outcome(): 'hit' | 'stale' {
    return this.ttlMs > 0 ? 'hit' : 'stale'
  }

  get tier(): 'memory' {
    return 'memory'
  }

  get ttlMs(): number {
    return this.freshUntil - this.#clock.now()
  }

  get ageMs(): number {
    return this.#clock.now() - this.loadedAt
  }

  get stored(): false {
    return false
  }

  get collapsed(): false {
    return false
  }
}
