import type { Clock, TieredCache } from '../cache/index.js'
import type { Happenings } from './happenings.js'
import type { Latencies } from './latencies.js'

/** Counts at one moment, for charts that go further back than their page. */
export type Sample = ReturnType<FiguresOfReplica['sample']>

/** A quarter of an hour at one every five seconds. */
const MOST_SAMPLES = 180

interface Parts {
  readonly cache: TieredCache
  /** `undefined` when requests are not timed. */
  readonly latencies: Latencies | undefined
  readonly happenings: Happenings
  readonly clock: Clock
  /** The domains of lookups that prove who somebody is: no document is among them. */
  readonly credentials: ReadonlySet<string>
}

/** What the dashboard shows of this replica beside its counts. Counts are since the start: those of two moments tell what happened between. */
export class FiguresOfReplica {
  readonly #parts: Parts
  #samples: Sample[] = []

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The section `figures` of a replica's report. */
  read() {
    const { latencies, happenings, clock } = this.#parts
    return {
      at_ms: clock.wallMs(),
      latencies: latencies?.counts() ?? null,
      turns: happenings.turns,
      heard: happenings.heard,
    }
  }

  /** Keeps a sample; to be called every few seconds. */
  keepSample(): void {
    this.#samples.push(this.sample())
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift()
  }

  get samples(): readonly Sample[] {
    return this.#samples
  }

  sample() {
    const { cache, credentials, clock } = this.#parts
    const { barrierAgeMs, tails } = cache.following()
    const sample = { at_ms: clock.wallMs(), tails, memory_hits: 0, redis_hits: 0, misses: 0, loads: 0 }
    for (const [domain, counts] of cache.stats().domains) {
      if (credentials.has(domain)) continue
      sample.memory_hits += counts.memoryHits
      sample.redis_hits += counts.redisHits
      sample.misses += counts.misses
      sample.loads += counts.loads
    }
    return { ...sample, barrier_age_ms: barrierAgeMs === undefined ? null : Math.round(barrierAgeMs) }
  }
}
