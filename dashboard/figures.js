/*
 * From counts to figures: no page, no clock. Counts of a replica are since its start, so what happened between two moments is their
 * difference, and what happened on several replicas is the sum.
 */

/** @import { Buckets, Counted, Domain, Pace, Report, Sample } from './types.js' */

/** As services/figures/latencies.ts has it: bucket `n` begins at 2^(n/8) hundredths of a millisecond. */
const BUCKETS_PER_OCTAVE = 8

/** @type {Buckets} */
const NO_BUCKETS = new Map()

/**
 * @param {Report} report
 * @returns {Counted | undefined} `undefined` for a replica that says nothing of this
 */
export function countedBy({ domains, figures, cache }) {
  if (domains === null || figures === null) return undefined
  const { latencies } = figures
  return {
    at_ms: figures.at_ms,
    ...readsOf(Object.values(domains).filter(isOfDocuments)),
    tails: cache?.tails ?? 0,
    latencies: latencies && {
      hits: mergedBuckets([bucketsOf(latencies.memory), bucketsOf(latencies.redis)]),
      misses: bucketsOf(latencies.miss),
      requests: Object.values(latencies).reduce((all, pairs) => all + total(bucketsOf(pairs)), 0),
    },
  }
}

/**
 * @param {Sample} sample
 * @returns {Counted}
 */
export function countedInSample({ at_ms, tails, memory_hits, redis_hits, misses, loads }) {
  return { at_ms, memory: memory_hits, redis: redis_hits, miss: misses, loads, tails, latencies: null }
}

/** @param {Domain} domain */
export function isOfDocuments(domain) {
  return domain.of === 'documents'
}

/** @param {readonly Domain[]} domains */
export function readsOf(domains) {
  const reads = { memory: 0, redis: 0, miss: 0, loads: 0 }
  for (const { memory_hits, redis_hits, misses, loads } of domains) {
    reads.memory += memory_hits
    reads.redis += redis_hits
    reads.miss += misses
    reads.loads += loads
  }
  return reads
}

/**
 * @param {Counted} before
 * @param {Counted} after
 * @returns {Pace | undefined} `undefined` when the replica has begun anew, or no time has passed
 */
export function paceBetween(before, after) {
  const seconds = (after.at_ms - before.at_ms) / 1_000
  const isAnew = after.memory < before.memory || after.miss < before.miss || after.redis < before.redis
  if (seconds <= 0 || isAnew) return undefined
  const [from, to] = [before.latencies, after.latencies]
  return {
    seconds,
    memory: (after.memory - before.memory) / seconds,
    redis: (after.redis - before.redis) / seconds,
    miss: (after.miss - before.miss) / seconds,
    loads: Math.max(0, after.loads - before.loads) / seconds,
    tails: Math.max(0, after.tails - before.tails) / seconds,
    requests: from && to ? Math.max(0, to.requests - from.requests) / seconds : undefined,
    hits: from && to ? difference(from.hits, to.hits) : NO_BUCKETS,
    misses: from && to ? difference(from.misses, to.misses) : NO_BUCKETS,
  }
}

/**
 * Several replicas as one.
 * @param {readonly Pace[]} paces
 * @returns {Pace | undefined}
 */
export function together(paces) {
  if (paces.length === 0) return undefined
  /** @param {(pace: Pace) => number} of */
  const sum = (of) => paces.reduce((all, pace) => all + of(pace), 0)
  const isTimed = paces.some(({ requests }) => requests !== undefined)
  return {
    seconds: Math.max(...paces.map(({ seconds }) => seconds)),
    memory: sum(({ memory }) => memory),
    redis: sum(({ redis }) => redis),
    miss: sum(({ miss }) => miss),
    loads: sum(({ loads }) => loads),
    tails: sum(({ tails }) => tails),
    requests: isTimed ? sum(({ requests }) => requests ?? 0) : undefined,
    hits: mergedBuckets(paces.map(({ hits }) => hits)),
    misses: mergedBuckets(paces.map(({ misses }) => misses)),
  }
}

/**
 * The share of reads that no database was asked for, in percent; `undefined` of no reads.
 * @param {{ readonly memory: number, readonly redis: number, readonly miss: number }} reads
 */
export function hitRate({ memory, redis, miss }) {
  const reads = memory + redis + miss
  return reads === 0 ? undefined : (100 * (memory + redis)) / reads
}

/**
 * In ms; `undefined` of nothing.
 * @param {Buckets} buckets
 * @param {number} percent
 */
export function percentile(buckets, percent) {
  const all = total(buckets)
  if (all === 0) return undefined
  let left = Math.max(1, Math.ceil((all * percent) / 100))
  for (const [bucket, count] of [...buckets].sort(([a], [b]) => a - b)) {
    left -= count
    if (left <= 0) return 2 ** ((bucket + 0.5) / BUCKETS_PER_OCTAVE) / 100
  }
  return undefined
}

/**
 * What the database did not have to be asked, and how long that would have taken at the average of each domain.
 * @param {readonly Domain[]} domains
 */
export function savedBy(domains) {
  let [queries, seconds] = [0, 0]
  for (const { memory_hits, redis_hits, loads, load_durations } of domains) {
    queries += memory_hits + redis_hits
    if (loads > 0) seconds += ((memory_hits + redis_hits) * load_durations.seconds) / loads
  }
  return { queries, seconds }
}

/**
 * @param {readonly number[]} pairs
 * @returns {Buckets}
 */
export function bucketsOf(pairs) {
  const buckets = new Map()
  for (let n = 0; n + 1 < pairs.length; n += 2) buckets.set(pairs[n], pairs[n + 1])
  return buckets
}

/**
 * @param {readonly Buckets[]} many
 * @returns {Buckets}
 */
export function mergedBuckets(many) {
  /** @type {Map<number, number>} */
  const merged = new Map()
  for (const buckets of many) {
    for (const [bucket, count] of buckets) merged.set(bucket, (merged.get(bucket) ?? 0) + count)
  }
  return merged
}

/**
 * @param {Buckets} before
 * @param {Buckets} after
 * @returns {Buckets}
 */
function difference(before, after) {
  const grown = [...after].map(([bucket, count]) => /** @type {const} */ ([bucket, count - (before.get(bucket) ?? 0)]))
  return new Map(grown.filter(([, count]) => count > 0))
}

/** @param {Buckets} buckets */
function total(buckets) {
  return [...buckets.values()].reduce((all, count) => all + count, 0)
}

/** Without a figure for so long, there was none. What is shorter is the pause between two reads. */
const SILENCE_SECONDS = 30

/**
 * A line as it is drawn: through a short pause (`undefined`), and interrupted where there was nothing for longer (`null`).
 * @param {readonly number[]} times in seconds
 * @param {readonly (number | null | undefined)[]} values
 * @returns {(number | null | undefined)[]}
 */
export function withGaps(times, values) {
  const known = values.flatMap((value, index) => (typeof value === 'number' ? [index] : []))
  /** @type {(number | null | undefined)[]} */
  const line = values.map((value) => value ?? null)
  known.slice(1).forEach((to, n) => {
    const from = known[n] ?? to
    if ((times[to] ?? 0) - (times[from] ?? 0) < SILENCE_SECONDS) line.fill(undefined, from + 1, to)
  })
  return line
}

/**
 * Where a line has one value between two gaps: no stroke shows it.
 * @param {readonly (number | null | undefined)[]} line as {@link withGaps} makes it
 */
export function lonelyIn(line) {
  /** @param {number} at @param {1 | -1} step */
  const isAtGap = (at, step) => {
    let next = at + step
    while (next in line && line[next] === undefined) next += step
    return typeof line[next] !== 'number'
  }
  return line.flatMap((value, at) => (typeof value === 'number' && isAtGap(at, 1) && isAtGap(at, -1) ? [at] : []))
}
