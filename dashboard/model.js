import { countedBy, countedInSample, paceBetween, together } from './figures.js'

/** @import { Counted, Hello, LiveEvent, Pace, Report, Tick } from './types.js' */

/** A quarter of an hour at one a second. */
const MOST_TICKS = 900
/** What the cards say is of the last minute. */
const WINDOW_MS = 60_000
/** Percentiles of a chart are of so long, so that a quiet service has some. */
const LATENCY_MS = 10_000

/** What was told so far, of each replica by its own clock. */
export class Model {
  /** @type {Hello | undefined} */
  hello
  /** @type {LiveEvent | undefined} */
  event
  /** @type {Tick[]} */
  ticks = []
  /** @type {Map<string, Counted[]>} */
  #counted = new Map()
  #now
  /** By the clock of this page, when the last point was made. */
  #tickedAtMs = 0
  /** What the clock of the replica that tells is behind the charts, which go on by that of the first one. */
  #behindMs = 0
  #isOtherClock = false

  /** @param {() => number} now ms of this page's clock */
  constructor(now = () => Date.now()) {
    this.#now = now
  }

  /**
   * Of a new connection: maybe to another replica.
   * @param {Hello} hello
   */
  greet(hello) {
    this.hello = hello
    this.#isOtherClock = this.ticks.length > 0
    if (this.ticks.length > 0) return
    const samples = hello.samples.map((sample) => ({ sample, counted: countedInSample(sample) }))
    const last = samples.at(-1)
    if (last !== undefined) this.#counted.set(hello.replica, [last.counted])
    for (const [n, { sample, counted }] of samples.entries()) {
      const before = samples[n - 1]
      const pace = before && paceBetween(before.counted, counted)
      if (pace === undefined) continue
      const point = { ...pace, barrierMs: sample.barrier_age_ms }
      this.ticks.push({ at: sample.at_ms / 1_000, of: new Map([[hello.replica, point]]) })
    }
    this.#tickedAtMs = this.#now()
  }

  /** @param {LiveEvent} event */
  take(event) {
    this.event = event
    /** @type {Map<string, Pace & { barrierMs: number | null }>} */
    const of = new Map()
    for (const report of event.replicas) {
      const counted = this.#keep(report)
      if (counted === undefined || report.is_silent) continue
      const pace = this.#pace(counted)
      if (pace !== undefined) of.set(report.name, { ...pace, barrierMs: report.cache?.barrier_age_ms ?? null })
    }
    const at = this.#chartedAt(event.at_ms)
    if (of.size > 0 && at > (this.ticks.at(-1)?.at ?? 0)) {
      this.ticks.push({ at, of })
      this.#tickedAtMs = this.#now()
    }
    if (this.ticks.length > MOST_TICKS) this.ticks.shift()
  }

  /**
   * Where on the charts a moment of the telling replica's clock is, in s. After a new connection, and where that clock was set back, as long
   * behind the last point as this page has waited: a clock that is behind would stop the charts, one ahead would leave a gap.
   * @param {number} atMs
   */
  #chartedAt(atMs) {
    const last = this.ticks.at(-1)
    const isBehind = last !== undefined && atMs + this.#behindMs <= last.at * 1_000
    if (last !== undefined && (this.#isOtherClock || isBehind))
      this.#behindMs = last.at * 1_000 + Math.max(0, this.#now() - this.#tickedAtMs) - atMs
    this.#isOtherClock = false
    return (atMs + this.#behindMs) / 1_000
  }

  /**
   * The reports of the selected replica, or of all.
   * @param {string} selection empty: all
   * @returns {readonly Report[]}
   */
  reports(selection) {
    return (this.event?.replicas ?? []).filter(({ name }) => selection === '' || name === selection)
  }

  /**
   * How it went in the last minute; less where less is known.
   * @param {string} selection
   */
  lastMinute(selection) {
    const heard = this.reports(selection).filter(({ is_silent }) => !is_silent)
    return together(heard.flatMap(({ name }) => this.#over(this.#counted.get(name) ?? [], WINDOW_MS) ?? []))
  }

  /**
   * How one replica went in the last minute.
   * @param {string} name
   */
  paceOf(name) {
    return this.#over(this.#counted.get(name) ?? [], WINDOW_MS)
  }

  /**
   * A replica that has not said anything new is where it was.
   * @param {Report} report
   */
  #keep(report) {
    const counted = countedBy(report)
    if (counted === undefined) return undefined
    const known = this.#counted.get(report.name) ?? []
    const last = known.at(-1)
    const isAnew = last !== undefined && (counted.memory < last.memory || counted.miss < last.miss)
    const kept = isAnew ? [] : known
    if (last === undefined || isAnew || counted.at_ms > last.at_ms) kept.push(counted)
    // One from before the window begins it.
    while (kept.length > 2 && (kept[1]?.at_ms ?? 0) < counted.at_ms - WINDOW_MS) kept.shift()
    this.#counted.set(report.name, kept)
    return kept
  }

  /**
   * Reads since the report before; percentiles of a little longer.
   * @param {readonly Counted[]} counted
   */
  #pace(counted) {
    const pace = this.#over(counted, 0)
    const longer = this.#over(counted, LATENCY_MS)
    return pace && { ...pace, hits: longer?.hits ?? pace.hits, misses: longer?.misses ?? pace.misses }
  }

  /**
   * @param {readonly Counted[]} counted
   * @param {number} ms
   */
  #over(counted, ms) {
    const last = counted.at(-1)
    if (last === undefined) return undefined
    const first = counted.findLast(({ at_ms }) => at_ms < last.at_ms && last.at_ms - at_ms >= ms) ?? counted[0]
    if (first === undefined) return undefined
    const pace = paceBetween(first, last)
    // A sample of before this page has no latencies.
    const timed = first.latencies === null ? counted.find(({ latencies }) => latencies !== null) : undefined
    const later = timed && paceBetween(timed, last)
    return pace && later ? { ...pace, requests: later.requests, hits: later.hits, misses: later.misses } : pace
  }
}
