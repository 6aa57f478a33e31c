/** How many reads the share is of, about: enough to be no accident, few enough to follow what is asked for. */
const WINDOW = 64
/** In this the share is counted, so that it is a small integer. */
const WHOLE = 1 << 20

/**
 * Which share of the latest reads of Redis found nothing. Where that is likely a read begins its load at once: a begin looks
 * as well, and one round trip less is worth more than what the look costs those whose entry is there.
 */
export class MissShare {
  #share: number

  /** `expectsMisses`: until there are reads to judge by. */
  constructor({ expectsMisses }: { expectsMisses: boolean }) {
    this.#share = expectsMisses ? WHOLE : 0
  }

  /** More likely than not. */
  get isMissLikely(): boolean {
    return this.#share > WHOLE / 2
  }

  count(isMiss: boolean): void {
    this.#share += Math.trunc(((isMiss ? WHOLE : 0) - this.#share) / WINDOW)
  }
}
