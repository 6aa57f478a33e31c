import { EVERYTHING } from './heard.js'

/** Above this many tags everything is in doubt. */
const MOST_TAGS = 10_000

/**
 * Tags in doubt: written here a moment ago, or announced by another replica. A hint is answered by a tail that began after it
 * came, and by no other: one that was under way may have missed the change. Hints prove nothing, so a lost, late,
 * repeated or forged one costs a tail at most.
 */
export class Hints {
  /** Those that the tail under way, or else the next one, answers. */
  #asked = new Set<string>()
  /** Those that came while a tail was under way: the one after it answers them. */
  #late = new Set<string>()
  #isTailing = false
  /** Tags that were brought into doubt so far. */
  given = 0

  /** Tags in doubt now. */
  get size(): number {
    return this.#asked.size + this.#late.size
  }

  get isEmpty(): boolean {
    return this.#asked.size === 0 && this.#late.size === 0
  }

  add(tags: Iterable<string>): void {
    const hinted = this.#isTailing ? this.#late : this.#asked
    for (const tag of tags) {
      this.given += 1
      if (hinted.size <= MOST_TAGS) hinted.add(tag)
    }
    if (hinted.size <= MOST_TAGS) return
    hinted.clear()
    hinted.add(EVERYTHING)
  }

  has(tags: readonly string[]): boolean {
    if (this.isEmpty) return false
    const isHinted = (tag: string): boolean => this.#asked.has(tag) || this.#late.has(tag)
    return isHinted(EVERYTHING) || tags.some(isHinted)
  }

  tailBegan(): void {
    this.#isTailing = true
  }

  /** A tail that failed answers nothing: what it was asked is asked again. */
  tailEnded({ hasFailed }: { readonly hasFailed: boolean }): void {
    const late = this.#late
    this.#isTailing = false
    this.#late = new Set()
    if (hasFailed) this.add(late)
    else this.#asked = late
  }
}
