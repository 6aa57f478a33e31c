import { metric, type Metric, ofDomains, one } from './metric.js'

const STATES = ['coherent', 'memory-only', 'isolated', 'disabled']

/** Of the tiers, the journal and Redis. */
export const cacheMetrics: readonly Metric[] = [
  metric(
    'counter',
    'cache_reads_total',
    'Reads of the cache by domain, outcome and the tier that had it; of="principals": who users and their tokens are',
    'domain of outcome tier',
    ofDomains((counts) => [
      [{ outcome: 'hit', tier: 'memory' }, counts.memory_hits],
      [{ outcome: 'hit', tier: 'redis' }, counts.redis_hits],
      [{ outcome: 'miss', tier: 'none' }, counts.misses],
    ]),
  ),
  metric(
    'counter',
    'cache_stale_hits_total',
    'Of the hits: what was stale by time, or answered marked while nothing could be asked',
    'domain of',
    ofDomains((counts) => [[{}, counts.stale_hits]]),
  ),
  metric(
    'counter',
    'cache_negative_hits_total',
    'Of the hits: that there is no such row',
    'domain of',
    ofDomains((counts) => [[{}, counts.negative_hits]]),
  ),
  metric(
    'histogram',
    'cache_load_duration_seconds',
    'Loads from the database, with how long they took',
    'domain of',
    ofDomains((counts) => [[{}, counts.load_durations]]),
  ),
  metric(
    'counter',
    'cache_fills_not_kept_total',
    'Loaded values that something had changed meanwhile',
    '',
    one(({ cache }) => cache.counts.refused_fills),
  ),
  metric(
    'counter',
    'cache_invalidations_total',
    'Tags that were heard to have changed',
    '',
    one(({ cache }) => cache.counts.invalidations),
  ),
  metric(
    'gauge',
    'cache_memory_items',
    'Entries in memory',
    '',
    one(({ cache }) => cache.counts.memory_cache_size),
  ),
  metric(
    'gauge',
    'cache_memory_max_items',
    'CACHE_MAX_MEMORY_ITEMS',
    '',
    one(({ cache }) => cache.max_items),
  ),
  metric(
    'gauge',
    'cache_memory_bytes',
    'Bytes of the entries in memory',
    '',
    one(({ cache }) => cache.counts.memory_cache_bytes),
  ),
  metric(
    'gauge',
    'cache_memory_max_bytes',
    'CACHE_MAX_MEMORY_BYTES',
    '',
    one(({ cache }) => cache.max_bytes),
  ),
  metric(
    'counter',
    'cache_evictions_total',
    'Entries dropped for space',
    '',
    one(({ cache }) => cache.counts.evictions),
  ),
  metric(
    'counter',
    'cache_expirations_total',
    'Entries dropped for time',
    '',
    one(({ cache }) => cache.counts.expirations),
  ),
  metric(
    'counter',
    'cache_errors_total',
    'Failures that no reader is told of; memory: values that could not be kept',
    'during',
    ({ cache }) => [
      [{ during: 'background' }, cache.counts.background_errors],
      [{ during: 'memory' }, cache.counts.memory_errors],
    ],
  ),
  metric(
    'counter',
    'cache_verified_hits_total',
    'Hits that were compared with the database a moment later; missed: a change of them had told nobody',
    'result',
    ({ cache }) => Object.entries(cache.counts.verified).map(([result, count]) => [{ result }, count]),
  ),
  metric(
    'histogram',
    'cache_answer_age_seconds',
    'Of these hits: how old they may have been at most when they were answered',
    '',
    ({ cache }) => [[{}, cache.answer_ages]],
  ),
  metric('gauge', 'cache_state', '1 for the state that the replica is in', 'state', ({ cache }) =>
    STATES.map((state) => [{ state }, Number(cache.state === state)]),
  ),
  metric('counter', 'cache_state_changes_total', 'How often a replica entered each state', 'state', ({ cache }) =>
    Object.entries(cache.state_changes).map(([state, count]) => [{ state }, count]),
  ),
  metric(
    'counter',
    'journal_tails_total',
    'Readings of the journal; failed: what moved no barrier',
    'result',
    ({ cache }) => [
      [{ result: 'done' }, cache.tails - cache.failed_tails],
      [{ result: 'failed' }, cache.failed_tails],
    ],
  ),
  metric(
    'gauge',
    'journal_barrier_age_seconds',
    'How long ago the last finished reading of the journal began',
    '',
    one(({ cache }) => (cache.barrier_age_ms === null ? null : cache.barrier_age_ms / 1_000)),
  ),
  metric(
    'gauge',
    'staleness_bound_seconds',
    'CACHE_STALENESS_BOUND_MS: above it the replica is isolated',
    '',
    one(({ cache }) => cache.bound_ms / 1_000),
  ),
  metric(
    'gauge',
    'hints',
    'Tags in doubt now',
    '',
    one(({ cache }) => cache.hints),
  ),
  metric(
    'counter',
    'hints_total',
    'Tags that were brought into doubt, by writes here or by other replicas',
    '',
    one(({ cache }) => cache.hints_given),
  ),
  metric(
    'histogram',
    'redis_command_duration_seconds',
    'Commands to Redis, from sending to the answer',
    '',
    ({ cache }) => (cache.redis === null ? [] : [[{}, cache.redis.commands]]),
  ),
  metric(
    'gauge',
    'redis_up',
    '0: Redis has not answered for a second; not there without a Redis',
    '',
    one(({ cache }) => cache.redis && Number(!cache.redis.down)),
  ),
  metric(
    'gauge',
    'redis_breaker_open',
    '1: no command goes to Redis now',
    '',
    one(({ cache }) => cache.redis && Number(cache.redis.breaker_open)),
  ),
  metric(
    'counter',
    'redis_breaker_openings_total',
    'How often that began, the start included',
    '',
    one(({ cache }) => cache.redis?.openings),
  ),
  metric(
    'counter',
    'redis_errors_total',
    'Commands that failed; refused: with an answer of the server',
    'kind',
    ({ cache }) =>
      cache.redis === null
        ? []
        : [
            [{ kind: 'refused' }, cache.counts.redis_refusals],
            [{ kind: 'unanswered' }, cache.counts.redis_errors - cache.counts.redis_refusals],
          ],
  ),
  metric(
    'counter',
    'redis_invalid_entries_total',
    'What lay in Redis under the name of an entry, and no replica had stored',
    '',
    one(({ cache }) => cache.redis && cache.counts.invalid_entries),
  ),
  metric(
    'counter',
    'redis_oversized_entries_total',
    'Entries too large for Redis',
    '',
    one(({ cache }) => cache.redis && cache.counts.oversized_entries),
  ),
]
