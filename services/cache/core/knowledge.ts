import { Heard, type HeardOptions } from './heard.js'
import { Hints } from './hints.js'
import type { TailAnswer } from '../journal/journal.js'
import { covers, parseSnapshot, type Snapshot } from './snapshot.js'

/** When something was read: what the database showed then at the least, and in which history. */
export interface Provenance {
  /** Number of the identity, in this process. */
  readonly identity: number
  readonly snapshot: Snapshot
}

/**
 * All that one replica knows of the database's changes, and the one question that is asked of it: is what was read under this
 * provenance current? It knows no I/O and no clock; `npm run model` explores this very class.
 */
export class Knowledge {
  readonly heard: Heard
  readonly hints = new Hints()
  /** Names the history of the database; `undefined` before the first tail. */
  identity: string | undefined
  /** Moves with each new identity. */
  identityNumber = 0
  /** The snapshot of the last finished tail. */
  seen: Snapshot | undefined
  /** Where this replica's knowledge begins: what an entry must cover. */
  floor: Snapshot | undefined
  /** Moves whenever an entry that was current may not be any more: a hit compares this and nothing else. */
  news = 0

  constructor(options: HeardOptions) {
    this.heard = new Heard(options)
  }

  tailBegan(): void {
    this.hints.tailBegan()
  }

  tailFailed(): void {
    this.hints.tailEnded({ hasFailed: true })
  }

  /**
   * Takes a finished tail in. With another identity everything heard is forgotten, and so must be whatever was read under
   * the old one; hints are kept, since they may be of changes that this tail began too early to see.
   * @returns whether the identity is another one
   * @throws Error for an answer that makes no sense: without a snapshot it changes nothing, else nothing is known any more
   */
  take({ identity, snapshot: text, from: fromText, changes }: TailAnswer & { readonly identity: string }): boolean {
    const [snapshot, from] = [snapshotOf(text), snapshotOf(fromText)]
    const isAnother = identity !== this.identity
    // The tail follows another snapshot than the last one: what lies between is unknown.
    const isAnew = isAnother || fromText !== this.seen?.text
    try {
      if (isAnew || changes === undefined) this.heard.forget()
      if (changes !== undefined) this.heard.take(changes, snapshot)
    } catch (error) {
      // Half of it is heard: the next tail begins as the first one did.
      this.identity = this.seen = this.floor = undefined
      this.news += 1
      this.tailFailed()
      throw error
    }
    if (isAnother) {
      this.identity = identity
      this.identityNumber += 1
    }
    if (changes === undefined) this.floor = snapshot
    else if (isAnew) this.floor = from
    if (isAnew || changes === undefined || changes.length > 0) this.news += 1
    this.seen = snapshot
    this.hints.tailEnded({ hasFailed: false })
    return isAnother
  }

  /** For a load that begins now. `undefined` before the first tail: nothing read then can be kept. */
  provenance(): Provenance | undefined {
    return this.seen && { identity: this.identityNumber, snapshot: this.seen }
  }

  /** Does what was read under `provenance` show every change heard of the tags behind `slots` ({@link Heard.slotsOf})? */
  isCurrent(provenance: Provenance | undefined, slots: readonly number[]): boolean {
    return provenance !== undefined && this.isKnown(provenance) && this.heard.isSatisfied(provenance.snapshot, slots)
  }

  /** Is all that has changed since the provenance known here? */
  isKnown({ identity, snapshot }: Provenance): boolean {
    return this.floor !== undefined && identity === this.identityNumber && covers(snapshot, this.floor)
  }

  /**
   * The provenance that something current may have from now on: no change of its tags lies between its own and the last tail.
   * So what is asked for again and again stays clear of collisions with changes of others.
   */
  renewed(provenance: Provenance): Provenance {
    return this.seen === undefined || covers(provenance.snapshot, this.seen)
      ? provenance
      : { ...provenance, snapshot: this.seen }
  }
}

/** @throws Error for a text that is no snapshot: it comes from the database itself */
function snapshotOf(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`The journal gave no snapshot but ${text.slice(0, 100)}`)
  return snapshot
}
