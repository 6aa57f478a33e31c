/** What /api/cache/live tells. */

export interface Hello {
  readonly replica: string
  readonly may_clear: boolean
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly at_ms: number
  readonly tails: number
  readonly memory_hits: number
  readonly redis_hits: number
  readonly misses: number
  readonly loads: number
  readonly barrier_age_ms: number | null
}

export interface LiveEvent {
  readonly at_ms: number
  /** The replica that this page is connected to. */
  readonly here: string
  readonly parts: Readonly<Record<string, string | null>>
  readonly replicas: readonly Report[]
}

export interface Report {
  readonly name: string
  readonly age_ms: number
  readonly is_silent: boolean
  /** Each is `null` from a replica of a release that has no such section. */
  readonly service: { readonly started_at: string; readonly uptime_seconds: number } | null
  readonly cache: CacheSection | null
  readonly domains: Readonly<Record<string, Domain>> | null
  readonly figures: FiguresSection | null
}

export interface CacheSection {
  readonly state: string
  readonly parts: {
    readonly redis: string
    readonly redis_refuses: string | null
    readonly journal: string
    readonly announcements: string
  }
  readonly counts: Readonly<Record<string, number>> & { readonly verified?: { readonly missed: number } }
  readonly bound_ms: number
  readonly barrier_age_ms: number | null
  readonly tails: number
  readonly tail_ms: number
  readonly reason: string | null
  readonly hints: number
  readonly max_items: number
  readonly max_bytes: number
}

export interface Domain {
  readonly of: 'documents' | 'principals'
  readonly memory_hits: number
  readonly redis_hits: number
  readonly misses: number
  readonly loads: number
  readonly load_durations: { readonly seconds: number }
}

export interface FiguresSection {
  readonly at_ms: number
  /** By who answered: bucket, count, bucket, count, … */
  readonly latencies: Readonly<Record<'memory' | 'redis' | 'miss' | 'other', readonly number[]>> | null
  readonly turns: readonly Turn[]
  readonly heard: readonly Heard[]
}

export interface Turn {
  readonly at_ms: number
  readonly part: string
  readonly state: string
  readonly reason: string
}

export interface Heard {
  readonly at_ms: number
  readonly transaction: number
  readonly tags: readonly string[]
  readonly more: number
}

/** What a replica had counted at a moment of its clock. */
export interface Counted {
  readonly at_ms: number
  readonly memory: number
  readonly redis: number
  readonly miss: number
  readonly loads: number
  readonly tails: number
  readonly latencies: { readonly hits: Buckets; readonly misses: Buckets; readonly requests: number } | null
}

/** Counts by bucket. */
export type Buckets = ReadonlyMap<number, number>

/** How a replica went between two moments; counts a second. */
export interface Pace {
  readonly seconds: number
  readonly memory: number
  readonly redis: number
  readonly miss: number
  readonly loads: number
  readonly tails: number
  /** `undefined`: requests are not timed, or were not in that time. */
  readonly requests: number | undefined
  readonly hits: Buckets
  readonly misses: Buckets
}

/** One point of the charts. */
export interface Tick {
  /** Seconds since 1970, as the charts want it. */
  readonly at: number
  readonly of: ReadonlyMap<string, Pace & { readonly barrierMs: number | null }>
}
