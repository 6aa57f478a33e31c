import { cacheReport, documentReport, domainReports } from './cache-report.js'
import type { Clock, TieredCache } from './cache/index.js'

export type ServiceStatus = 'healthy' | 'degraded' | 'unhealthy'

/** The body of `GET /api/cache/health`. */
export interface Health {
  readonly status: ServiceStatus
  readonly state: TieredCache['state']
  readonly last_check: string
  readonly uptime_seconds: number
  readonly cache_health: {
    readonly redis: string
    /** What a Redis refuses that answers otherwise, and the code of its reason. */
    readonly redis_refuses: string | null
    readonly memory: string
    readonly journal: string
    /** How news of other replicas come; without them the bound alone holds. */
    readonly announcements: string
    /** Whether the database answers at all. */
    readonly database: string
    /** Whether a connection is free for what is not cached: `waiting` when all are held, by a locked table for one. */
    readonly loads: string
    readonly overall: ServiceStatus
  }
  readonly performance_stats: {
    readonly hits: number
    readonly misses: number
    readonly hit_rate_percent: number
    readonly redis_available: boolean
    readonly enabled: boolean
  }
  readonly state_changes: Record<string, number>
}

/** A finding is shared between callers for this long, so that any number of callers costs one probe a second. */
const SHARED_MS = 1_000
/** What does not answer a probe within this is unavailable. */
export const PROBE_LIMIT_MS = 500
/** What a part says that takes nothing away from the whole. */
const WHOLE = ['healthy', 'connecting', 'disabled']

/** Each rejects, or does not answer, when what it asks is out of order. */
export interface Probes {
  /** Over a connection that nobody else uses. */
  readonly database: () => Promise<unknown>
  /** Over one of the connections that loads and writes use. */
  readonly loads: () => Promise<unknown>
  /** `undefined` when none is configured. */
  readonly redis: (() => Promise<unknown>) | undefined
}

interface Parts {
  readonly cache: TieredCache
  readonly probes: Probes
  readonly clock: Clock
}

/**
 * Tells whether this replica can serve, from probes with a time limit. Never rejects. It can serve while it follows the journal, by
 * what is cached, or while the database answers; it is `unhealthy` only when neither is so.
 */
export class HealthProbe {
  readonly #parts: Parts
  readonly #startedAt: number
  #shared: { readonly at: number; readonly health: Promise<Health> } | undefined
  /** When the last probe finished, ISO 8601. */
  lastCheck: string

  constructor(parts: Parts) {
    this.#parts = parts
    this.#startedAt = parts.clock.now()
    this.lastCheck = new Date(parts.clock.wallMs()).toISOString()
  }

  check(): Promise<Health> {
    const now = this.#parts.clock.now()
    if (this.#shared === undefined || now - this.#shared.at >= SHARED_MS) {
      this.#shared = { at: now, health: this.#probe() }
    }
    return this.#shared.health
  }

  /** What `GET /api/cache/stats` answers. */
  async stats() {
    const { status, last_check } = await this.check()
    const stats = this.#parts.cache.stats()
    return {
      service_status: status,
      last_health_check: last_check,
      cache_stats: cacheReport(stats),
      documents: documentReport(stats),
      domains: domainReports(stats),
    }
  }

  async #probe(): Promise<Health> {
    const { cache, probes, clock } = this.#parts
    const [isDatabaseUp, isLoading, isRedisUp] = await Promise.all([
      this.#answers(probes.database),
      this.#answers(probes.loads),
      probes.redis === undefined ? undefined : this.#answers(probes.redis),
    ])
    const { state, redis: tier, redisRefuses, memory, journal, announcements, stateChanges } = cache.health()
    const redis = tier === 'healthy' && isRedisUp === false ? 'unavailable' : tier
    const database = isDatabaseUp ? 'healthy' : 'unavailable'
    const loads = isLoading ? 'healthy' : isDatabaseUp ? 'waiting' : 'unavailable'
    const { hits, misses, hit_rate_percent, redis_available, enabled } = cacheReport(cache.stats())
    const canServe = isDatabaseUp || state === 'coherent' || state === 'memory-only'
    const isWhole = [redis, journal, announcements, database, loads].every((part) => WHOLE.includes(part))
    const status = !canServe ? 'unhealthy' : isWhole ? 'healthy' : 'degraded'
    this.lastCheck = new Date(clock.wallMs()).toISOString()
    return {
      status,
      state,
      last_check: this.lastCheck,
      uptime_seconds: Math.floor((clock.now() - this.#startedAt) / 1_000),
      cache_health: {
        redis,
        redis_refuses: redisRefuses ?? null,
        memory,
        journal,
        announcements,
        database,
        loads,
        overall: status,
      },
      performance_stats: { hits, misses, hit_rate_percent, redis_available, enabled },
      state_changes: stateChanges,
    }
  }

  async #answers(probe: () => Promise<unknown>): Promise<boolean> {
    let cancel: (() => void) | undefined
    const overdue = new Promise<false>((resolve) => {
      cancel = this.#parts.clock.after(PROBE_LIMIT_MS, () => resolve(false))
    })
    const answer = probe().then(
      () => true,
      () => false,
    )
    return Promise.race([answer, overdue]).finally(() => cancel?.())
  }
}
