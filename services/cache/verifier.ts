import { Durations } from './core/durations.js'
import type { Entry, EntryOptions, Loader } from './entry.js'
import type { Codec } from './redis/entry-codec.js'
import type { Replica } from './replica.js'

/** Which hits are looked at again. */
export interface Verification {
  /** Of all hits, from 0 (none) to 1. */
  readonly share: number
  /** At most so many loads a second, whatever the share. */
  readonly perSecond: number
}

/** A hit whose answer was not what the database has, although no change of its tags was heard. */
export interface MissedInvalidation {
  readonly key: string
  /** Under the first of these the entry is dropped now, on every replica. */
  readonly tags: readonly string[]
  /** What the entry was read under, and up to where no change of its tags is known. */
  readonly entrySnapshot: string
  readonly snapshot: string
}

/** What has become of the hits that were looked at again. */
export interface VerifierCounts {
  /** The database has the same. */
  confirmed: number
  /** It has something else, and nobody was told of a change. */
  missed: number
  /** A change of its tags was heard meanwhile, or nothing could tell. */
  undecided: number
}

/** How long after the answer, in ms: no reader waits, and a change that was under way is heard of. */
const DELAY_MS = 500
const SECOND_MS = 1_000

/**
 * Looks at some hits again a moment later. It loads the value anew, lets a tail follow, and then asks whether a change of the entry's tags is
 * known up to that tail. If none is, the database cannot have had anything else since the entry was read: a difference is a change that told
 * nobody (a trigger that is switched off, a restore behind our back, a fault of ours). It is counted and told, and its tag raised.
 */
export class Verifier {
  readonly counts: VerifierCounts = { confirmed: 0, missed: 0, undecided: 0 }
  /** How old the answers may have been at most when they were given: how long ago the reading of the journal began that they were judged by. */
  readonly ages = new Durations()
  readonly #replica: Replica
  readonly #verification: Verification
  readonly #cancels = new Set<() => void>()
  /** Hits until the next one that is looked at. */
  #left: number
  #tokens: number
  #refilledAt: number

  constructor(replica: Replica, verification: Verification) {
    this.#replica = replica
    this.#verification = verification
    this.#left = this.#gap()
    this.#tokens = Math.max(1, verification.perSecond)
    this.#refilledAt = replica.clock.now()
  }

  /** To be asked of each hit: is it one to {@link Verifier.look} at again? Nearly always it only counts. */
  isNext(): boolean {
    this.#left -= 1
    if (this.#left > 0) return false
    this.#left = this.#gap()
    return true
  }

  /** Looks at a hit again, a moment later. */
  look(key: string, options: EntryOptions, load: Loader): void {
    const { memory, clock } = this.#replica
    const entry = memory.peek(key)
    if (entry === undefined || !this.#isDue()) return
    this.ages.record(this.#replica.follower.sinceBarrier(clock.now()))
    const { value, provenance, slots, tags } = entry
    const cancel = clock.after(DELAY_MS, () => {
      this.#cancels.delete(cancel)
      this.#verify({ key, value, provenance, slots, tags }, options, load).catch((error: unknown) =>
        this.#replica.report(error, 'looking at an answer again'),
      )
    })
    this.#cancels.add(cancel)
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
  }

  /** Hits up to the next one, so that each is taken with the same probability. */
  #gap(): number {
    const { share } = this.#verification
    if (share <= 0) return Number.POSITIVE_INFINITY
    return share >= 1 ? 1 : 1 + Math.floor(Math.log(1 - this.#replica.settings.random()) / Math.log(1 - share))
  }

  #isDue(): boolean {
    const { perSecond } = this.#verification
    const now = this.#replica.clock.now()
    this.#tokens = Math.min(Math.max(1, perSecond), this.#tokens + ((now - this.#refilledAt) * perSecond) / SECOND_MS)
    this.#refilledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  async #verify(
    answered: Pick<Entry, 'key' | 'value' | 'provenance' | 'slots' | 'tags'>,
    { tags }: EntryOptions,
    load: Loader,
  ): Promise<void> {
    const { follower, knowledge, codec, journal, clock } = this.#replica
    const { key, value, provenance, slots } = answered
    if (!follower.isFollowed(clock.now())) return void (this.counts.undecided += 1)
    let now: unknown
    try {
      now = await load()
    } catch {
      // A database that is away or busy is told of by those whom it does not answer.
      return void (this.counts.undecided += 1)
    }
    // What was committed before the load is in this tail, or told nobody.
    const isSettled = await follower.settled()
    const snapshot = knowledge.seen
    if (!isSettled || snapshot === undefined || !knowledge.isCurrent(provenance, slots)) {
      this.counts.undecided += 1
      return
    }
    if (isSame(now, value, codec)) return void (this.counts.confirmed += 1)
    this.counts.missed += 1
    this.#replica.missedInvalidation({ key, tags, entrySnapshot: provenance.snapshot.text, snapshot: snapshot.text })
    await journal.touch(tags.slice(0, 1))
    await follower.settled()
  }
}

function isSame(one: unknown, other: unknown, codec: Codec): boolean {
  if (one === undefined || other === undefined) return one === other
  return codec.isSame?.(one, other) ?? codec.encode(one) === codec.encode(other)
}
