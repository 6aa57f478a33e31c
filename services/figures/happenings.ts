import type { Change, Clock } from '../cache/index.js'

/** A change of state of this replica, or of what it works with. Times are ms since 1970, by this replica's clock. */
export interface Turn {
  readonly at_ms: number
  readonly part: 'replica' | 'redis' | 'database'
  /** The replica's state, or what became of the part, in one word. */
  readonly state: string
  readonly reason: string
}

/** A transaction that this replica heard of, and tags that it raised: `more` of them are left out. */
export interface HeardOf {
  readonly at_ms: number
  readonly transaction: number
  readonly tags: readonly string[]
  readonly more: number
}

const MOST_TURNS = 40
const MOST_HEARD = 30
const MOST_TAGS = 3
const LONGEST_TEXT = 200

/** What happened last, for who asks why: a bounded number of each kind, the oldest first. */
export class Happenings {
  readonly #clock: Pick<Clock, 'wallMs'>
  #turns: readonly Turn[] = []
  #heard: readonly HeardOf[] = []

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock
  }

  get turns(): readonly Turn[] {
    return this.#turns
  }

  get heard(): readonly HeardOf[] {
    return this.#heard
  }

  turned(part: Turn['part'], state: string, reason: string): void {
    const turn: Turn = { at_ms: this.#clock.wallMs(), part, state, reason: shortened(reason) }
    this.#turns = [...this.#turns, turn].slice(-MOST_TURNS)
  }

  /** What one reading of the journal brought, in no order. */
  changed(changes: readonly Change[]): void {
    const at_ms = this.#clock.wallMs()
    const newest = changes.length <= MOST_HEARD ? changes : changes.slice(-MOST_HEARD)
    const heard = newest.map(({ transaction, tags }): HeardOf => {
      const named = tags.slice(0, MOST_TAGS).map(shortened)
      return { at_ms, transaction, tags: named, more: tags.length - named.length }
    })
    this.#heard = [...this.#heard, ...heard.sort((a, b) => a.transaction - b.transaction)].slice(-MOST_HEARD)
  }
}

function shortened(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}…`
}
