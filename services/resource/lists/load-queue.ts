import { systemClock } from '../../cache/index.js'
import { DatabaseUnavailableError } from '../../database/index.js'
import { TooManyReadsError } from '../../errors.js'

/** What a user has at once: the pool has 10 connections, and the others want some too. */
const MOST_AT_ONCE = 2
/** Further ones that wait for their turn. */
const MOST_WAITING = 50

export interface LoadQueueOptions {
  readonly mostAtOnce?: number
  /** How long one may wait for its turn, in ms; without it, as long as it takes. */
  readonly longestWaitMs?: number
}

/** The loads of one user. */
interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/** Work that may be large queues up user by user: who asks for much at once waits for nobody but themselves. */
export class LoadQueue {
  readonly #lines = new Map<string, Line>()
  readonly #mostAtOnce: number
  readonly #longestWaitMs: number | undefined

  constructor({ mostAtOnce = MOST_AT_ONCE, longestWaitMs }: LoadQueueOptions = {}) {
    this.#mostAtOnce = mostAtOnce
    this.#longestWaitMs = longestWaitMs
  }

  /**
   * @param work is told when the waiting began, in ms of the monotonic clock: what it then waits for in the database counts from there too
   * @throws TooManyReadsError when {@link MOST_WAITING} of the user are waiting, DatabaseUnavailableError after too long a wait, and what `work` throws
   */
  async run<T>(userId: string, work: (since: number) => Promise<T>): Promise<T> {
    const since = systemClock.now()
    const line = this.#lines.get(userId) ?? { running: 0, waiting: [] }
    this.#lines.set(userId, line)
    if (line.running < this.#mostAtOnce) line.running += 1
    else if (line.waiting.length >= MOST_WAITING) throw new TooManyReadsError()
    else await this.#wait(line)
    try {
      return await work(since)
    } finally {
      const next = line.waiting.shift()
      if (next === undefined) line.running -= 1
      else next()
      if (line.running === 0) this.#lines.delete(userId)
    }
  }

  /** Who is refused must be out of the line, or the place that is handed on to them is lost. */
  #wait({ waiting }: Line): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => {
        waiting.splice(waiting.indexOf(enter), 1)
        reject(new DatabaseUnavailableError('too much of this user is waiting for it already'))
      }
      const timer = this.#longestWaitMs === undefined ? undefined : setTimeout(refuse, this.#longestWaitMs)
      const enter = (): void => {
        clearTimeout(timer)
        resolve()
      }
      waiting.push(enter)
    })
  }
}
