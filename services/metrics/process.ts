import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Clock } from '../cache/index.js'

const RESOLUTION_MS = 20
/** What is told is of the last so many milliseconds, or of up to twice as many. */
const WINDOW_MS = 10_000

/** How the process of this replica fares. The event loop is watched by a timer of Node's own, which runs no JavaScript. */
export class ProcessFigures {
  readonly #clock: Clock
  readonly #delay: IntervalHistogram
  #since: number
  #utilization = performance.eventLoopUtilization()
  #told: { readonly p50: number; readonly p99: number; readonly max: number; readonly utilization: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.now()
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delay.enable()
  }

  stop(): void {
    this.#delay.disable()
  }

  /** The section `process` of a replica's report. */
  toJSON() {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    return {
      resident_bytes: rss,
      heap_used_bytes: heapUsed,
      heap_total_bytes: heapTotal,
      external_bytes: external,
      cpu_seconds: (user + system) / 1_000_000,
      event_loop: this.#window(),
    }
  }

  /** Seconds by which timers came late, and the share of time at work. */
  #window() {
    const now = this.#clock.now()
    if (this.#told !== undefined && now - this.#since < WINDOW_MS) return this.#told
    const utilization = performance.eventLoopUtilization()
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000)
    const isEmpty = this.#delay.count === 0
    this.#told = {
      p50: isEmpty ? 0 : late(this.#delay.percentile(50)),
      p99: isEmpty ? 0 : late(this.#delay.percentile(99)),
      max: isEmpty ? 0 : late(this.#delay.max),
      utilization: performance.eventLoopUtilization(utilization, this.#utilization).utilization,
    }
    this.#delay.reset()
    this.#utilization = utilization
    this.#since = now
    return this.#told
  }
}
