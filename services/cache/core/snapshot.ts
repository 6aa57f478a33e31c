/** What a transaction of Postgres can see, as `pg_current_snapshot()` tells it. Both questions below ask no clock. */
export interface Snapshot {
  /** Postgres' own text, `xmin:xmax:xip,xip,…`: what a later tail and other replicas are given back. */
  readonly text: string
  /** One above the last transaction that had completed. */
  readonly xmax: number
  /** Transactions below `xmax` that were still running. */
  readonly xip: readonly number[]
}

/** `undefined` when the text is no snapshot: it may come from Redis, where anybody may have written it. */
export function parseSnapshot(text: string): Snapshot | undefined {
  const afterXmin = text.indexOf(':')
  const afterXmax = text.indexOf(':', afterXmin + 1)
  if (afterXmin <= 0 || afterXmax < 0) return undefined
  const xmax = transactionId(text.slice(afterXmin + 1, afterXmax))
  const running = text.slice(afterXmax + 1)
  const xip = running === '' ? [] : running.split(',').map(transactionId)
  return xmax > 0 && xip.every((id) => id > 0 && id < xmax) ? { text, xmax, xip } : undefined
}

/** -1 for what is none. Postgres counts to 2^64; an exact number ends at 2^53, which takes 285 years at a million a second. */
export function transactionId(text: string): number {
  const id = /^[0-9]{1,16}$/.test(text) ? Number(text) : -1
  return Number.isSafeInteger(id) ? id : -1
}

/** Is what transaction `id` committed visible in `snapshot`? */
export function sees({ xmax, xip }: Snapshot, id: number): boolean {
  return id < xmax && !xip.includes(id)
}

/**
 * Does `later` see all that `earlier` saw? Since xmax only grows, and what runs below it only ends, the snapshots of one history
 * are totally ordered by this. Without xip, two snapshots with one xmax would count as equal although one sees more.
 */
export function covers(later: Snapshot, earlier: Snapshot): boolean {
  if (later.xmax !== earlier.xmax) return later.xmax > earlier.xmax
  return later.xip.every((id) => earlier.xip.includes(id))
}
