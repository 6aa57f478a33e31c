import type { JournalStore } from './journal-store.js'
import type { RedisTier } from './redis-tier.js'

export interface ResyncProgress {
  readonly done: number
  readonly total: number
}

/** Rows raised per page: one short script call each, so that requests get in between. */
const PAGE_ROWS = 500

/**
 * Raises in Redis every journal row changed within `lookBackMs`, the longest lifetime of an entry. Whatever Redis
 * forgot, or came back with from an old copy, is valid no longer; no entry outlives the look-back, so nothing
 * older matters. Stops early, without an error, once `isWanted` says no.
 */
export async function resync(options: {
  readonly journal: JournalStore
  readonly redis: RedisTier
  readonly lookBackMs: number
  readonly isWanted: () => boolean
  readonly onProgress: (progress: ResyncProgress) => void
}): Promise<void> {
  const { journal, redis, lookBackMs, isWanted, onProgress } = options
  const total = await journal.countChangedWithin(lookBackMs)
  let after: string | undefined
  let done = 0
  while (isWanted()) {
    onProgress({ done, total: Math.max(total, done) })
    const page = await journal.changedWithin(lookBackMs, after, PAGE_ROWS)
    if (!isWanted()) return
    if (page.length > 0) await redis.raise(page)
    done += page.length
    after = page.at(-1)?.tag
    if (page.length < PAGE_ROWS) return
  }
}
