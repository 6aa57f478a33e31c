import type { Clock } from '../cache/index.js'
import type { Database } from '../database/database.js'
import { ChangesOffError } from '../errors.js'
import type { ChangesFeed } from './feed.js'

export interface KeeperOptions {
  readonly database: Database
  readonly feed: ChangesFeed
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** Is {@link ChangesKeeper.heard} called when something has changed? */
  readonly hears: boolean
  /** How long changes are kept, in ms. */
  readonly keepMs: number
  /** Something failed that nobody waits for. */
  readonly onError: (error: unknown, during: string) => void
}

/** How much comes twice after a crash, at most. */
const MARK_EVERY_MS = 20_000
/** Changes are kept up to a fourteenth longer than they have to be; it is looked oftener whether it is time. */
const MARKS = 14
const LOOKS = 168
/** 2 MiB, some 15,000 rows. */
const BATCH_BLOCKS = 256
const BATCH_PAUSE_MS = 20

/** What the feed needs done again and again, by any replica: marks, and pruning. */
export class ChangesKeeper {
  readonly #options: KeeperOptions
  readonly #cancels = new Map<string, () => void>()
  #isStopped = false
  #isChanged = true

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#every('a mark', MARK_EVERY_MS, () => this.mark())
    this.#every('pruning', this.#options.keepMs / LOOKS, () => this.prune())
    void this.#tried('a mark', () => this.mark())
  }

  /** Something may have changed: without that, and while nothing is written, no mark is. */
  heard(): void {
    this.#isChanged = true
  }

  /** Marks once more, so that what follows a clean stop of everything begins where this ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const cancel of this.#cancels.values()) cancel()
    await this.#tried('the last mark', () => this.#options.database.query(this.#options.feed.statements.mark))
  }

  async mark(): Promise<void> {
    const { database, feed, hears } = this.#options
    await feed.sample()
    if (!this.#isChanged && hears) return
    this.#isChanged = false
    try {
      await database.query(feed.statements.mark)
    } catch (error) {
      // What has changed is still to be marked.
      this.#isChanged = true
      throw error
    }
  }

  /** Deletes what is older than it has to be kept, in small batches; resolves with how many rows that were. */
  async prune(): Promise<number> {
    const { database, feed, clock, keepMs } = this.#options
    const { statements } = feed
    await database.query(statements.remember(`${keepMs / MARKS} milliseconds`))
    const raised = await database.query(statements.raise(`${keepMs} milliseconds`))
    if (raised.length === 0) return 0
    const [size] = await database.query<{ blocks: number }>(statements.blocks)
    let total = 0
    for (let block = 0; block < (size?.blocks ?? 0) && !this.#isStopped; block += BATCH_BLOCKS) {
      const [batch] = await database.query<{ gone: number }>(statements.remove(block, block + BATCH_BLOCKS))
      total += batch?.gone ?? 0
      await clock.sleep(BATCH_PAUSE_MS)
    }
    await database.query(statements.forgetOld(`${keepMs} milliseconds`))
    return total
  }

  async #tried(during: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // Another replica may have switched it off.
      if (!(error instanceof ChangesOffError)) this.#options.onError(error, during)
    }
  }

  /** Up to a tenth later each time, so that replicas do not keep step. */
  #every(name: string, ms: number, work: () => Promise<unknown>): void {
    const { clock, random } = this.#options
    const next = (): void => {
      if (this.#isStopped) return
      this.#cancels.set(
        name,
        clock.after(
          Math.min(ms * (1 + random() / 10), LONGEST_TIMER_MS),
          () => void this.#tried(name, work).then(next),
        ),
      )
    }
    next()
  }
}

/** What a timer of Node's can hold. */
const LONGEST_TIMER_MS = 2_147_483_647
