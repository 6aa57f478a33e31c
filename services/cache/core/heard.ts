import type { Change } from '../journal/journal.js'
import { covers, sees, type Snapshot } from './snapshot.js'

/** Raised for everything: every entry carries it without saying so. */
export const EVERYTHING = '*'

export interface HeardOptions {
  /** How many slots, a power of two; 8 bytes each, touched only when used. */
  readonly slots: number
  /** Random, a process its own: nobody can choose tags that collide. */
  readonly seed: number
}

/** In a slot, for now: this tail brought more than one transaction for it. */
const SEVERAL = -1
/** How many snapshots of tails with several transactions for one slot are kept. */
const MOST_SNAPSHOTS = 1_024

/**
 * Which change last touched each tag, in a fixed number of slots that tags share by their hash.
 *
 * A slot holds what the *last* tail brought for one of its tags: the transaction, or, if there were several, that tail's
 * snapshot, which an entry must cover. The highest of several ids would not do: commits come in no order of ids. A later
 * tail replaces an earlier one: a snapshot that sees its transaction was taken after all that the tail before had seen.
 * A tag has two slots, and a snapshot has to satisfy only one of them, since each holds the tag's last change or something
 * later. So a collision costs a needless miss now and then, never an old answer, and nothing has to be forgotten.
 */
export class Heard {
  readonly #mask: number
  readonly #seed: number
  /** 0: nothing yet; above: a transaction; below: the snapshot with this number. */
  #slots: Float64Array
  #snapshots: Snapshot[] = []
  /** How many snapshots have been dropped in front of `#snapshots`. */
  #dropped = 0
  #everything = 0

  constructor({ slots, seed }: HeardOptions) {
    this.#mask = slots - 1
    this.#seed = seed
    this.#slots = new Float64Array(slots)
  }

  /** Takes in what a tail brought. */
  take(changes: readonly Change[], snapshot: Snapshot): void {
    const brought = new Map<number, number>()
    let everything = 0
    const merge = (known: number | undefined, transaction: number): number =>
      known === undefined || known === 0 || known === transaction ? transaction : SEVERAL
    for (const { transaction, tags } of changes) {
      for (const tag of tags) {
        if (tag === EVERYTHING) everything = merge(everything, transaction)
        else for (const slot of this.slotsOf([tag])) brought.set(slot, merge(brought.get(slot), transaction))
      }
    }
    for (const [slot, value] of brought) this.#slots[slot] = value === SEVERAL ? this.#numberOf(snapshot) : value
    if (everything !== 0) this.#everything = everything === SEVERAL ? this.#numberOf(snapshot) : everything
  }

  forget(): void {
    this.#slots = new Float64Array(this.#mask + 1)
    this.#snapshots = []
    this.#everything = 0
  }

  /** The slots of these tags, two a tag: made once for an entry, and asked for with {@link Heard.isSatisfied}. */
  slotsOf(tags: readonly string[]): number[] {
    const slots: number[] = []
    for (const text of tags) {
      // UTF-8 has no half of a surrogate pair, so the database gives U+FFFD back.
      const tag = text.toWellFormed()
      let first = this.#seed
      let second = ~this.#seed
      for (let n = 0; n < tag.length; n++) {
        const code = tag.charCodeAt(n)
        first = Math.imul(first ^ code, 0x01000193)
        second = Math.imul(second ^ code, 0x85ebca6b)
      }
      slots.push((first ^ (first >>> 15)) & this.#mask, (second ^ (second >>> 13)) & this.#mask)
    }
    return slots
  }

  /** Does the snapshot see the last change of every tag behind `slots`? */
  isSatisfied(snapshot: Snapshot, slots: readonly number[]): boolean {
    if (!this.#isSeen(snapshot, this.#everything)) return false
    for (let n = 0; n < slots.length; n += 2) {
      if (!this.#isSeen(snapshot, this.#at(slots[n])) && !this.#isSeen(snapshot, this.#at(slots[n + 1]))) return false
    }
    return true
  }

  /** The newest change of these tags as a number, to name a lease with: who knows of a later one must not wait for it. */
  newest(slots: readonly number[]): number {
    let newest = this.#order(this.#everything)
    for (let n = 0; n < slots.length; n += 2) {
      newest = Math.max(newest, Math.min(this.#order(this.#at(slots[n])), this.#order(this.#at(slots[n + 1]))))
    }
    return newest
  }

  #at(slot = 0): number {
    return this.#slots[slot] ?? 0
  }

  #isSeen(snapshot: Snapshot, value: number): boolean {
    if (value === 0) return true
    return value > 0 ? sees(snapshot, value) : covers(snapshot, this.#snapshotOf(value))
  }

  #order(value: number): number {
    return value >= 0 ? value : this.#snapshotOf(value).xmax
  }

  #numberOf(snapshot: Snapshot): number {
    if (this.#snapshots.at(-1) !== snapshot) this.#snapshots.push(snapshot)
    if (this.#snapshots.length > MOST_SNAPSHOTS) {
      this.#snapshots = this.#snapshots.slice(MOST_SNAPSHOTS / 2)
      this.#dropped += MOST_SNAPSHOTS / 2
    }
    return -(this.#dropped + this.#snapshots.length)
  }

  /** One that was dropped is replaced by the oldest kept: a later one, so it asks for more, never for less. */
  #snapshotOf(value: number): Snapshot {
    const snapshot = this.#snapshots[Math.max(0, -value - this.#dropped - 1)]
    if (snapshot === undefined) throw new Error('Heard has lost the snapshots that its slots refer to')
    return snapshot
  }
}
