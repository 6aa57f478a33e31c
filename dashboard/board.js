import { countedBy, hitRate, isOfDocuments, mergedBuckets, percentile, readsOf, savedBy } from './figures.js'
import { bytes, count, duration, milliseconds, NONE, percent, plural, rate, time } from './format.js'
import { byId, draw, fill, holding, make, mark, ofKind, say, sayIn } from './dom.js'
import { verdict } from './verdict.js'

/** @import { Model } from './model.js' */
/** @import { CacheSection, Domain, Report } from './types.js' */

/** Fewer seconds than this are no minute to speak of. */
const LEAST_SECONDS = 5

/**
 * The sentence, the cards and the tables of the selected replicas.
 * @param {Model} model
 * @param {string} selection empty: all replicas
 */
export function showBoard(model, selection) {
  const { event } = model
  if (event === undefined) return
  const reports = model.reports(selection)
  const domains = reports.flatMap(({ domains }) => Object.values(domains ?? {}))
  const caches = reports.flatMap(({ cache, is_silent }) => (cache === null || is_silent ? [] : [cache]))
  const minute = model.lastMinute(selection)
  const lately = minute && {
    memory: minute.memory * minute.seconds,
    redis: minute.redis * minute.seconds,
    miss: minute.miss * minute.seconds,
  }
  const isOfLastMinute = minute !== undefined && minute.seconds >= LEAST_SECONDS && sumOf(lately) >= 1
  const reads = isOfLastMinute && lately ? lately : readsOf(domains.filter(isOfDocuments))

  const rateNow = hitRate(reads)
  showVerdict(verdict({ event, reports, reads: { rate: rateNow, reads: Math.round(sumOf(reads)), isOfLastMinute } }))
  const when = isOfLastMinute ? `in the last ${duration(Math.min(60, minute.seconds))}` : 'since the start'
  sayIn('hit-rate', percent(rateNow))
  sayIn('hit-caption', `of reads answered without the database, ${when}`)
  sayIn('reads-rate', rate(minute && minute.memory + minute.redis + minute.miss))
  sayIn('loads-rate', rate(minute?.loads))
  const saved = savedBy(domains)
  sayIn('saved-queries', count(saved.queries))
  sayIn('saved-time', duration(saved.seconds))
  showCoherence(reports, caches, minute?.tails)
  showSpeed(reports, minute)
  showMemory(caches)
  showReplicas(model)
  showDomains(reports)
}

/**
 * Nobody tells anything any more: what is shown is no news.
 * @param {import('./types.js').LiveEvent} event the last one
 * @param {string} fault why there is no connection; empty: nobody has said so
 */
export function showLost({ here, at_ms }, fault) {
  const sentence = `No figures since ${time(at_ms)}: what is shown below is of then.`
  const why = fault === '' ? `${here} has ended, hangs, or can't be reached.` : fault
  const notes = [`${why} This page connects again by itself.`]
  showVerdict({ level: 'bad', sentence, notes })
}

/** @param {{ memory: number, redis: number, miss: number } | undefined} reads */
function sumOf(reads) {
  return reads === undefined ? 0 : reads.memory + reads.redis + reads.miss
}

/** @param {ReturnType<typeof verdict>} found */
function showVerdict({ level, sentence, notes }) {
  const before = byId('verdict').dataset['level']
  mark(byId('verdict'), 'data-level', level)
  sayIn('verdict-text', sentence)
  const list = byId('verdict-notes')
  while (list.children.length > notes.length) list.lastElementChild?.remove()
  for (const [n, note] of notes.entries()) say(list.children[n] ?? list.appendChild(make('li')), note)
  // A screen reader hears of a change, and not of each second.
  const news = `${sentence} ${notes.join(' ')}`
  const key = `${level} ${notes.map((note) => note.replaceAll(/\d+/g, '')).join()}`
  const announcer = byId('announcer')
  if (before !== undefined && announcer.dataset['key'] !== key) {
    announcer.dataset['key'] = key
    say(announcer, news)
  }
  document.title = `${{ good: '✓', idle: '○', warn: '▲', bad: '✕' }[level]} Roundhouse: the cache`
}

/**
 * @param {readonly Report[]} reports
 * @param {readonly CacheSection[]} caches
 * @param {number | undefined} tails a second
 */
function showCoherence(reports, caches, tails) {
  const following = caches.filter(({ state }) => state === 'coherent' || state === 'memory-only')
  sayIn('coherent', `${following.length} of ${reports.length}`)
  sayIn('coherent-caption', reports.length === 1 ? 'replica follows the journal' : 'replicas follow the journal')
  const ages = caches.flatMap(({ barrier_age_ms }) => barrier_age_ms ?? [])
  const bound = caches[0]?.bound_ms
  const oldest = ages.length === 0 ? undefined : Math.max(...ages)
  sayIn('barrier', oldest === undefined ? NONE : `${milliseconds(oldest)} of ${milliseconds(bound)}`)
  sayIn('hints', count(caches.reduce((all, { hints }) => all + hints, 0)))
  sayIn('tails', rate(tails))
  const times = caches.map(({ tail_ms }) => tail_ms)
  sayIn('tail-time', times.length === 0 ? NONE : milliseconds(Math.max(...times)))
}

/**
 * @param {readonly Report[]} reports
 * @param {ReturnType<Model['lastMinute']>} minute
 */
function showSpeed(reports, minute) {
  const isTimed = reports.some(({ figures }) => figures?.latencies)
  const all = reports.flatMap((report) => countedBy(report)?.latencies ?? [])
  const hits = minute?.hits.size ? minute.hits : mergedBuckets(all.map(({ hits }) => hits))
  const misses = minute?.misses.size ? minute.misses : mergedBuckets(all.map(({ misses }) => misses))
  for (const [who, buckets] of /** @type {const} */ ([
    ['hit', hits],
    ['miss', misses],
  ])) {
    for (const share of [50, 95, 99]) sayIn(`${who}-${share}`, milliseconds(percentile(buckets, share)))
  }
  sayIn('hit-speed', isTimed ? milliseconds(percentile(hits, 50)) : 'not timed')
}

/** @param {readonly CacheSection[]} caches */
function showMemory(caches) {
  /** @param {string} name */
  const sum = (name) => caches.reduce((all, { counts }) => all + (counts[name] ?? 0), 0)
  const [items, used] = [sum('memory_cache_size'), sum('memory_cache_bytes')]
  const mostItems = caches.reduce((all, { max_items }) => all + max_items, 0)
  const mostBytes = caches.reduce((all, { max_bytes }) => all + max_bytes, 0)
  const shares = [mostItems === 0 ? 0 : items / mostItems, mostBytes === 0 ? 0 : used / mostBytes]
  sayIn('memory-share', percent(100 * Math.max(...shares)))
  sayIn('memory-items-text', `${count(items)} of ${count(mostItems)}`)
  sayIn('memory-bytes-text', `${bytes(used)} of ${bytes(mostBytes)}`)
  for (const [n, id] of ['memory-items', 'memory-bytes'].entries()) ofKind(id, HTMLMeterElement).value = shares[n] ?? 0
  sayIn('evictions', count(sum('evictions')))
  sayIn('expirations', count(sum('expirations')))
}

/** @param {Model} model */
function showReplicas(model) {
  const rows = (model.event?.replicas ?? []).map((report) => {
    const { name, age_ms, is_silent, cache, domains, service } = report
    const pace = is_silent ? undefined : model.paceOf(name)
    const reads = readsOf(Object.values(domains ?? {}).filter(isOfDocuments))
    const state = is_silent ? 'silent' : (cache?.state ?? 'unknown')
    const isHere = name === model.event?.here
    const memory =
      cache && `${count(cache.counts['memory_cache_size'])} entries, ${bytes(cache.counts['memory_cache_bytes'])}`
    return [
      isHere ? `${name} (this page's)` : name,
      holding(
        () => make('span', { class: 'state' }),
        (span) => {
          mark(span, 'data-state', state)
          say(span, state)
        },
      ),
      isHere ? 'now' : `${duration(age_ms / 1_000)} ago`,
      percent(hitRate(reads)),
      rate(pace && pace.memory + pace.redis + pace.miss),
      is_silent || !cache ? NONE : `${milliseconds(cache.barrier_age_ms)} of ${milliseconds(cache.bound_ms)}`,
      memory ?? NONE,
      is_silent ? NONE : redisWords(cache?.parts),
      is_silent ? NONE : (cache?.parts.announcements ?? NONE),
      duration(service?.uptime_seconds),
    ]
  })
  fill(byId('replicas'), rows)
}

/** @param {CacheSection['parts'] | undefined} parts */
function redisWords(parts) {
  if (parts === undefined) return NONE
  return parts.redis === 'disabled'
    ? 'not in use'
    : parts.redis_refuses
      ? `refuses ${parts.redis_refuses}`
      : parts.redis
}

/** @param {readonly Report[]} reports */
function showDomains(reports) {
  /** @type {Map<string, Domain[]>} */
  const byName = new Map()
  for (const { domains } of reports) {
    for (const [name, domain] of Object.entries(domains ?? {})) byName.set(name, [...(byName.get(name) ?? []), domain])
  }
  const rows = [...byName]
    .map(([name, domains]) => ({ name, domains, reads: readsOf(domains), isOfDocuments: domains.some(isOfDocuments) }))
    .sort((a, b) => Number(b.isOfDocuments) - Number(a.isOfDocuments) || sumOf(b.reads) - sumOf(a.reads))
    .map(({ name, domains, reads, isOfDocuments }) => {
      const seconds = domains.reduce((all, { load_durations }) => all + load_durations.seconds, 0)
      const title = name.replaceAll('_', ' ')
      return [
        isOfDocuments ? title : `${title} (who is asking)`,
        bar(reads),
        percent(hitRate(reads)),
        count(sumOf(reads)),
        count(reads.memory),
        count(reads.redis),
        count(reads.miss),
        count(reads.loads),
        reads.loads === 0 ? NONE : milliseconds((1_000 * seconds) / reads.loads),
      ]
    })
  fill(byId('domains'), rows, 'Nobody has read anything yet')
}

/** @param {{ memory: number, redis: number, miss: number }} reads */
function bar(reads) {
  const parts = /** @type {const} */ (['memory', 'redis', 'miss'])
  return holding(
    () =>
      draw(
        'svg',
        { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img' },
        ...parts.map((part) => draw('rect', { class: part, height: 10 })),
      ),
    (svg) => {
      const all = sumOf(reads)
      let x = 0
      for (const [n, part] of parts.entries()) {
        const width = all === 0 ? 0 : (100 * reads[part]) / all
        const rect = svg.children[n]
        if (rect === undefined) continue
        mark(rect, 'x', x.toFixed(2))
        mark(rect, 'width', width.toFixed(2))
        x += width
      }
      mark(
        svg,
        'aria-label',
        `memory ${count(reads.memory)}, Redis ${count(reads.redis)}, database ${plural(reads.miss, 'read')}`,
      )
    },
  )
}
