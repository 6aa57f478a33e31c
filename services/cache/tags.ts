import type { RaisedTag } from './entry.js'

/** Raised by an operator to empty everything: part of every entry key's prefix instead of a stamp. */
export const CLEAR_TAG = '*'

/** One tag of one memory entry: the version it was read under, linked with the tag's other entries. */
export interface TagLink<Entry = unknown> {
  readonly state: TagState<Entry>
  readonly version: number
  readonly entry: Entry
  /** The entry's next tag. */
  readonly sibling: TagLink<Entry> | undefined
  previous: TagLink<Entry> | undefined
  next: TagLink<Entry> | undefined
}

/** What this replica knows of one tag. */
export class TagState<Entry = unknown> {
  /** The highest version heard of; anything read under a lower one is behind. */
  heard = 0
  /** Running loads that compare themselves with `heard`. */
  pins = 0
  head: TagLink<Entry> | undefined

  constructor(readonly tag: string) {}

  get isIdle(): boolean {
    return this.pins === 0 && this.head === undefined
  }
}

/**
 * Every tag that an entry or a running load depends on, and the versions heard of from the journal.
 *
 * Invalidating is one assignment: `heard` moves, and whatever was read under a lower version is behind from
 * that moment on, however many entries that is. Bounded: beyond `maxIdle` the versions of tags that nothing in
 * this process depends on are forgotten, oldest first. That is safe, since Redis is read only once it has
 * acknowledged the raise of each of them, and a load's stamps start from what is known when it begins.
 */
export class TagRegistry<Entry = unknown> {
  readonly #states = new Map<string, TagState<Entry>>()
  readonly #maxIdle: number
  /** Moves with all that is news: what was found valid since it last moved still is. */
  news = 0
  /** Version of {@link CLEAR_TAG}; entries and loads from before it are behind. */
  clearVersion = 0

  constructor(options: { maxIdle: number }) {
    this.#maxIdle = options.maxIdle
  }

  get size(): number {
    return this.#states.size
  }

  state(tag: string): TagState<Entry> {
    let state = this.#states.get(tag)
    if (state === undefined) {
      state = new TagState<Entry>(tag)
      this.#states.set(tag, state)
      this.#forgetSome()
    }
    return state
  }

  /** The highest version heard of, 0 when none was. */
  heardOf(tag: string): number {
    return this.#states.get(tag)?.heard ?? 0
  }

  /** Takes a journal row in. Idempotent and commutative; returns whether it was news. */
  hear({ tag, version }: RaisedTag): boolean {
    if (tag === CLEAR_TAG) {
      if (version <= this.clearVersion) return false
      this.clearVersion = version
      this.news += 1
      return true
    }
    const state = this.state(tag)
    if (version <= state.heard) return false
    state.heard = version
    this.news += 1
    return true
  }

  /** Lets go of a tag that nothing was ever heard of, once nothing depends on it. */
  release(state: TagState<Entry>): void {
    if (state.isIdle && state.heard === 0) this.#states.delete(state.tag)
  }

  /** Amortised: each new tag looks at two old ones; those still in use move to the young end. */
  #forgetSome(): void {
    if (this.#states.size <= this.#maxIdle) return
    let looked = 0
    for (const [tag, state] of this.#states) {
      this.#states.delete(tag)
      if (!state.isIdle) this.#states.set(tag, state)
      looked += 1
      if (looked === 2) return
    }
  }
}
