import t from 'tap'
import { hitRate, lonelyIn, paceBetween, percentile, savedBy, together, withGaps } from '../../dashboard/figures.js'
import { bytes, count, duration, milliseconds, percent, rate } from '../../dashboard/format.js'
import { Model } from '../../dashboard/model.js'
import type { CacheSection, Domain, LiveEvent, Report } from '../../dashboard/types.js'
import { verdict } from '../../dashboard/verdict.js'

const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

function domain(of: Domain['of'], reads: { memory?: number; redis?: number; misses?: number }, seconds = 1): Domain {
  const { memory = 0, redis = 0, misses = 0 } = reads
  return { of, memory_hits: memory, redis_hits: redis, misses, loads: misses, load_durations: { seconds } }
}

function cache(fields: Partial<CacheSection> = {}): CacheSection {
  const parts = { redis: 'healthy', redis_refuses: null, journal: 'healthy', announcements: 'healthy' }
  const bounds = { bound_ms: 1_000, barrier_age_ms: 240, max_items: 10, max_bytes: 10 }
  return { state: 'coherent', parts, counts: {}, tails: 0, tail_ms: 1, reason: null, hints: 0, ...bounds, ...fields }
}

interface Reads {
  readonly memory?: number
  readonly redis?: number
  readonly misses?: number
}

function report(name: string, atMs: number, reads: Reads, fields: Partial<Report> = {}): Report {
  const latencies = { memory: [0, reads.memory ?? 0], redis: [], miss: [80, reads.misses ?? 0], other: [] }
  return {
    name,
    age_ms: 0,
    is_silent: false,
    service: { started_at: '2026-01-01T00:00:00Z', uptime_seconds: 5 },
    cache: cache(),
    domains: { designs: domain('documents', reads), tokens: domain('principals', { memory: 1_000 }) },
    figures: { at_ms: atMs, latencies, turns: [], heard: [] },
    ...fields,
  }
}

function event(atMs: number, ...replicas: Report[]): LiveEvent {
  return { at_ms: atMs, here: 'one', parts: { database: 'healthy', loads: 'healthy' }, replicas }
}

t.test('rates are of what happened between two reports, by the clock of the replica that made them', async (t) => {
  const model = new Model()
  model.take(event(50_000, report('one', 1_000, { memory: 100, misses: 10 }), report('two', 7_000, { memory: 0 })))
  model.take(event(51_000, report('one', 2_000, { memory: 190, misses: 20 }), report('two', 7_000, { memory: 0 })))
  t.match(model.paceOf('one'), { memory: 90, miss: 10, redis: 0, requests: 100 })
  t.equal(model.paceOf('two'), undefined, 'nothing new was heard of it')
  model.take(event(55_000, report('one', 6_000, { memory: 190, misses: 20 }), report('two', 12_000, { memory: 50 })))
  t.match(model.lastMinute(''), { memory: 18 + 10 })
  t.match(model.lastMinute('two'), { memory: 10 })
  t.equal(model.ticks.length, 2)
})

t.test('the charts go on after a new connection, whatever the clock of the replica that tells then', async (t) => {
  let nowMs = 5_000
  const model = new Model(() => nowMs)
  const hello = { replica: 'one', may_clear: false, samples: [] }
  let memory = 0
  /** Both replicas are heard of, and one of them tells, by its own clock. */
  const tell = (atMs: number): void => {
    nowMs += 1_000
    memory += 10
    model.take(event(atMs, report('one', nowMs, { memory }), report('two', nowMs, { memory })))
  }
  model.greet(hello)
  for (const atMs of [100_000, 101_000, 102_000]) tell(atMs)
  t.same(
    model.ticks.map(({ at }) => at),
    [101, 102],
  )
  nowMs += 4_000
  model.greet({ ...hello, replica: 'two' })
  for (const atMs of [60_000, 61_000]) tell(atMs)
  t.same(
    model.ticks.map(({ at }) => at),
    [101, 102, 107, 108],
    'it is 47 s behind',
  )
  model.greet({ ...hello, replica: 'three' })
  tell(900_000)
  t.equal(model.ticks.at(-1)?.at, 109, 'it is ahead')
  tell(890_000)
  t.equal(model.ticks.at(-1)?.at, 110, 'it was set back')
})

t.test('a replica that began anew has no negative rates, and one that is silent has none', async (t) => {
  const model = new Model()
  model.take(event(1_000, report('one', 1_000, { memory: 100 })))
  model.take(event(2_000, report('one', 2_000, { memory: 3 })))
  t.equal(model.paceOf('one'), undefined)
  model.take(event(3_000, report('one', 3_000, { memory: 13 })))
  t.match(model.paceOf('one'), { memory: 10 })
  model.take(event(4_000, report('one', 3_000, { memory: 13 }, { is_silent: true })))
  t.equal(model.lastMinute(''), undefined)
})

t.test('the last minute forgets what was before', async (t) => {
  const model = new Model()
  for (let n = 0; n <= 200; n++)
    model.take(event(n * 1_000, report('one', n * 1_000, { memory: n < 100 ? n * 50 : 5_000 })))
  t.match(model.lastMinute(''), { memory: 0, seconds: 60 })
})

t.test('tokens and profiles are no reads', async (t) => {
  t.equal(hitRate({ memory: 0, redis: 0, miss: 0 }), undefined)
  const model = new Model()
  model.take(event(1_000, report('one', 1_000, { misses: 60 })))
  model.take(event(2_000, report('one', 2_000, { misses: 120 })))
  t.equal(hitRate(model.lastMinute('') ?? { memory: 1, redis: 0, miss: 0 }), 0)
})

t.test('percentiles of several replicas are of all their requests', async (t) => {
  const before = { at_ms: 0, memory: 0, redis: 0, miss: 0, loads: 0, tails: 0 }
  const pace = (hits: [number, number][]) => {
    const none = { hits: new Map(), misses: new Map(), requests: 0 }
    return paceBetween(
      { ...before, latencies: none },
      { ...before, at_ms: 1_000, latencies: { ...none, hits: new Map(hits) } },
    )
  }
  const paces = [pace([[0, 99]]), pace([[80, 101]])].flatMap((one) => one ?? [])
  const both = together(paces)
  t.ok((percentile(both?.hits ?? new Map(), 49) ?? 9) < 0.02)
  t.ok((percentile(both?.hits ?? new Map(), 50) ?? 0) > 10)
})

t.test('what was saved is at the average of each domain', async (t) => {
  t.same(
    savedBy([domain('documents', { memory: 90, redis: 10, misses: 10 }, 1), domain('documents', { memory: 5 }, 0)]),
    {
      queries: 105,
      seconds: 10,
    },
  )
})

t.test('the sentence', async (t) => {
  const reads = { rate: 97.34, reads: 1_000, isOfLastMinute: true }
  const of = (reports: Report[], given = reads) => verdict({ event: event(1, ...reports), reports, reads: given })
  const one = report('one', 1, {})
  const other = (fields: Partial<CacheSection>) => report('two', 1, {}, { cache: cache(fields) })
  const isolated = other({ state: 'isolated', barrier_age_ms: 9_000, reason: 'timeout' })
  const noRedis = { redis: 'unavailable', redis_refuses: null, journal: 'healthy', announcements: 'healthy' }
  const cases: [Report[], level: string, sentence: RegExp, note?: RegExp][] = [
    [[one], 'good', /^The cache answers 97.3 % of reads; it is coherent; nothing older than 240 ms\.$/],
    [[one, other({})], 'good', /coherent on 2 of 2 replicas/],
    [
      [one, other({ state: 'memory-only', parts: noRedis })],
      'warn',
      /coherent on 2 of 2/,
      /^two: Redis does not answer; memory and the database do\.$/,
    ],
    [
      [one, isolated],
      'bad',
      /coherent on 1 of 2 replicas; nothing older than 240 ms/,
      /^two: can't read the journal \(timeout\).* where it does not answer memory does, marked/,
    ],
    [[isolated], 'bad', /no replica follows the journal\.$/],
    [[one, report('two', 1, {}, { is_silent: true, age_ms: 21_000 })], 'warn', /1 of 2/, /^two: silent for 21 s/],
    [[other({ state: 'disabled' })], 'warn', /switched off/],
    [[report('old', 1, {}, { cache: null })], 'bad', /no replica/, /another release/],
  ]
  for (const [reports, level, sentence, note] of cases) {
    const found = of(reports)
    t.equal(found.level, level, found.sentence)
    t.match(plain(found.sentence), sentence)
    if (note !== undefined) t.match(plain(found.notes.join('\n')), note)
    if (level === 'good') t.same(found.notes, [])
  }
  const four = ['a', 'b', 'c', 'd'].map((name) => report(name, 1, {}, { cache: cache({ parts: noRedis }) }))
  t.same(of(four).notes, ['a, b, c and 1 more: Redis does not answer; memory and the database do.'])
  t.match(
    of([one], { ...reads, rate: 50, reads: 4, isOfLastMinute: false }).sentence,
    /has answered .* \(of only 4 reads\)/,
  )
  const nobody = verdict({
    event: event(1, one),
    reports: [one],
    reads: { rate: undefined, reads: 0, isOfLastMinute: false },
  })
  t.match(nobody, { level: 'idle', sentence: /^Nobody has read anything yet; it is coherent/ })
})

t.test('figures are short, and never say more than is so', async (t) => {
  t.same(
    [99.96, 100, 0, undefined].map((value) => plain(percent(value))),
    ['99.9 %', '100 %', '0 %', '–'],
  )
  t.same(
    [0.173, 2.34, 17.6, 1_234, 90_000].map((value) => plain(milliseconds(value))),
    ['0.17 ms', '2.3 ms', '18 ms', '1.2 s', '90 s'],
  )
  t.same(
    [125, 7_260, 200_000].map((value) => plain(duration(value))),
    ['2 min', '2 h 1 min', '2 d 7 h'],
  )
  t.same(
    [0, 1_023, 67_108_864].map((value) => plain(bytes(value))),
    ['0 B', '1023 B', '64.0 MiB'],
  )
  t.same([0, 0.25, 12.4].map(rate), ['0', '0.3', '12'])
  t.same([99_999, 1_234_567, null].map(count), ['99,999', '1.23M', '–'])
})

t.test('an answer that was not what the database had is the first thing to see', async (t) => {
  const counts = { verified: { missed: 2 } } as unknown as CacheSection['counts']
  const reports = [report('one', 1_000, { memory: 100 }, { cache: cache({ counts }) })]
  const found = verdict({
    event: event(1_000, ...reports),
    reports,
    reads: { rate: 1, reads: 100, isOfLastMinute: true },
  })
  t.equal(found.level, 'bad')
  t.match(found.notes, [/one: 2 answers since its start were not what the database had/])
})

t.test('a line is drawn through a pause between two reads, and is interrupted by a silence', async (t) => {
  const times = [0, 5, 10, 15, 45, 50, 55]
  t.same(withGaps(times, [90, null, 91, null, null, 20, 21]), [90, undefined, 91, null, null, 20, 21])
  t.same(withGaps(times, [null, 90, null, null, null, 20, null]), [null, 90, null, null, null, 20, null])
  t.same(withGaps(times, [1, 2, 3, 4, 5, 6, 7]), [1, 2, 3, 4, 5, 6, 7])
  t.same(withGaps([], []), [])
})

t.test('a value alone between two silences is shown as a point', async (t) => {
  t.same(lonelyIn([90, undefined, 91, null, 50, null, 20, 21]), [4])
  t.same(lonelyIn([5]), [0])
  t.same(lonelyIn([null, 1, 2, null]), [])
  t.same(lonelyIn([]), [])
})
