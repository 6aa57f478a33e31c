import { TooManyReadsError } from '../../errors.js'

/** What a user has at once: the pool has 10 connections, and the others want some too. */
const MOST_AT_ONCE = 2
/** Further ones that wait for their turn. */
const MOST_WAITING = 50

/** The loads of one user. */
interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/** Work that may be large queues up user by user: who asks for much at once waits for nobody but themselves. */
export class LoadQueue {
  readonly #lines = new Map<string, Line>()
  readonly #mostAtOnce: number

  constructor(mostAtOnce = MOST_AT_ONCE) {
    this.#mostAtOnce = mostAtOnce
  }

  /** @throws TooManyReadsError when {@link MOST_WAITING} of the user are waiting, and what `work` throws */
  async run<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(userId) ?? { running: 0, waiting: [] }
    this.#lines.set(userId, line)
    if (line.running < this.#mostAtOnce) line.running += 1
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
