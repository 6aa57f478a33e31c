import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  readonly timeoutMs?: number
  readonly intervalMs?: number
  /** What is waited for, for the error: `the pool recovers`. */
  readonly describe: string
}

/**
 * Asks `predicate` again and again until it answers with something truthy, and returns that.
 * A predicate that throws is asked again; the last error is the cause of the final one.
 * @throws Error once `timeoutMs` (20 s by default, since a busy machine is no failure) have passed
 */
export async function until<T>(predicate: () => T | Promise<T>, options: UntilOptions): Promise<NonNullable<T>> {
  const { timeoutMs = 20_000, intervalMs = 10, describe } = options
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await predicate()
      if (answer) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) throw new Error(`Not within ${timeoutMs} ms: ${describe}`, { cause })
    await sleep(intervalMs)
  }
}

/**
 * For how long after `since` somebody who asked was still told no: until the last question began that was answered so. (When an
 * answer arrives says how busy the machine is, and nothing of how old the answer was.) 0 when the first one is a yes.
 */
export async function staleFor(since: number, shows: () => Promise<boolean>, options: UntilOptions): Promise<number> {
  let staleMs = 0
  await until(async () => {
    const askedAt = performance.now()
    const isShown = await shows()
    if (!isShown) staleMs = askedAt - since
    return isShown
  }, options)
  return staleMs
}
