import type { Change, Journal } from '../../services/cache/index.js'

/** Any transaction will do to begin with. */
const FIRST = 1_000

/**
 * A journal in this process that answers at once: for benchmarks of the tiers, where PostgreSQL would only take the
 * processor away. The engine follows it as any other, so its checks cost what they always cost.
 */
export function stillJournal(identity: string): Journal {
  const all: Change[] = []
  const snapshot = (): string => `${FIRST + all.length}:${FIRST + all.length}:`
  return {
    tail: (since = snapshot()) =>
      Promise.resolve({
        snapshot: snapshot(),
        identity,
        fault: undefined,
        from: since,
        changes: all.slice(Number(since.split(':')[1]) - FIRST),
      }),
    touch: (tags) => Promise.resolve(FIRST - 1 + all.push({ transaction: FIRST + all.length, tags })),
    mark: () => Promise.resolve(),
    prune: () => Promise.resolve(0),
  }
}
