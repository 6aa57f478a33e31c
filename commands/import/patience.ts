import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseUnavailableError } from '../../services/database/index.js'

export interface PatienceOptions {
  /** Told why, before each further attempt. */
  readonly onWait: (reason: string) => void
  /** Nobody waits any more. */
  readonly signal: AbortSignal
  /** From the first refusal on, in ms. */
  readonly longestMs?: number
}

const LONGEST_MS = 60_000
/** The first pause and the longest one, in ms. */
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [250, 4_000]

/**
 * Runs `work`, and again as long as the database is away or has no time for it: a load of an hour should not end with one bad second.
 * `work` must do no harm when it is repeated after it was done and only its answer was lost.
 * @throws what `work` throws, and its DatabaseUnavailableError once that has gone on for too long
 */
export async function patiently<T>(work: () => Promise<T>, options: PatienceOptions): Promise<T> {
  const { onWait, signal, longestMs = LONGEST_MS } = options
  let giveUpAt: number | undefined
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || signal.aborted) throw error
      giveUpAt ??= performance.now() + longestMs
      if (performance.now() + pauseMs > giveUpAt) throw error
      onWait(error.message)
      // Interrupted, it is tried once more, and ends then.
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }
}
