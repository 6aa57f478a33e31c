import { TooManyReadsError } from '../../errors.js'

/** Loads of lists that a user has at once: the pool has 10 connections, and the others want some too. */
const MOST_AT_ONCE = 2
/** Further ones that wait for their turn. */
const MOST_WAITING = 50

/** The loads of one user. */
interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/** Loads that may be large queue up user by user: who asks for many lists, or writes in bulk, at once waits for nobody but themselves. */
export class LoadQueue {
  readonly #lines = new Map<string, Line>()

  /** @throws TooManyReadsError when {@link MOST_WAITING} of the user are waiting, and what `work` throws */
  async run<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(userId) ?? { running: 0, waiting: [] }
    this.#lines.set(userId, line)
    if (line.running < MOST_AT_ONCE) line.running += 1
    else if (line.waiting.length >= MOST_WAITING) throw new TooManyReadsError()
    else await new Promise<void>((resolve) => line.waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = line.waiting.shift()
      if (next === undefined) line.running -= 1
      else next()
      if (line.running === 0) this.#lines.delete(userId)
    }
  }
}
