import { EVERYTHING } from './heard.js'

/** Above this many tags everything is in doubt. */
const MOST_TAGS = 10_000

class Doubted {
  readonly tags = new Set<string>()
  isEverything = false

  add(tags: Iterable<string>): void {
    if (this.isEverything) return
    for (const tag of tags) {
      if (tag !== EVERYTHING && this.tags.size < MOST_TAGS) this.tags.add(tag)
      else {
        this.isEverything = true
        this.tags.clear()
        return
      }
    }
  }
}

/**
 * Tags in doubt: written here a moment ago, or announced by another replica. A hint is answered by a tail that began after it
 * came, and by no other: one that was under way may have missed the change. Hints prove nothing, so a lost, late,
 * repeated or forged one costs a tail at most.
 */
export class Hints {
  /** Those that the tail under way, or else the next one, answers. */
  #asked = new Doubted()
  /** Those that came while a tail was under way: the one after it answers them. */
  #late = new Doubted()
  #isTailing = false

  get isEmpty(): boolean {
    return this.#isEmpty(this.#asked) && this.#isEmpty(this.#late)
  }

  add(tags: Iterable<string>): void {
    if (this.#isTailing) this.#late.add(tags)
    else this.#asked.add(tags)
  }

  has(tags: readonly string[]): boolean {
    if (this.isEmpty) return false
    if (this.#asked.isEverything || this.#late.isEverything) return true
    return tags.some((tag) => this.#asked.tags.has(tag) || this.#late.tags.has(tag))
  }

  tailBegan(): void {
    this.#isTailing = true
  }

  /** A tail that failed answers nothing: what it was asked is asked again. */
  tailEnded({ hasFailed }: { readonly hasFailed: boolean }): void {
    this.#isTailing = false
    const late = this.#late
    this.#late = new Doubted()
    if (!hasFailed) this.#asked = late
    else this.#asked.add(late.isEverything ? [EVERYTHING] : late.tags)
  }

  #isEmpty({ isEverything, tags }: Doubted): boolean {
    return !isEverything && tags.size === 0
  }
}
